"""Which errors are the worst, and which photos are known to be filed wrongly."""

from facekit.evaluation.protocols.lfw import WRONG_LABELS
from facekit.evaluation.records import DataSetReport, ScoredPair
from facekit.evaluation.report.worst_errors import (
    ShownPair,
    worst_false_matches,
    worst_false_non_matches,
)


def test_errors_are_shown_the_worst_first(made_up: DataSetReport) -> None:
    result = made_up.models[0]
    matches = worst_false_matches(result, 100)
    misses = worst_false_non_matches(result, 100)
    assert len(matches) == result.fmr.event_count
    assert len(misses) == result.fnmr.event_count
    excess = [(p.similarity or 0) - p.threshold_similarity for p in matches]
    assert excess == sorted(excess, reverse=True)
    assert min(excess) >= 0
    deficit = [(p.similarity or 0) - p.threshold_similarity for p in misses]
    assert deficit == sorted(deficit)
    assert max(deficit) < 0
    assert worst_false_matches(result, 2) == matches[:2]


def test_known_faults_are_named_once() -> None:
    bart, ricky = "Bart_Hendricks/Bart_Hendricks_0001.jpg", "Ricky_Ray/Ricky_Ray_0001.jpg"
    pair = ScoredPair(1, 2, bart, ricky, same=False, threshold_similarity=0.4, similarity=1.0)
    assert ShownPair(pair, b"", b"").known_fault == WRONG_LABELS[bart]
    other = ScoredPair(
        1, 2, "a/a_0001.jpg", "b/b_0001.jpg", same=True, threshold_similarity=0, similarity=0.1
    )
    assert ShownPair(other, b"", b"").known_fault == ""
