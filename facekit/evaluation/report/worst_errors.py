"""Finds the worst errors of a model."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.evaluation.protocols.lfw import WRONG_LABELS
from facekit.evaluation.records import ModelResult, ScoredPair


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair and its two crops as JPEG files."""

    pair: ScoredPair
    crop_a: bytes
    crop_b: bytes

    @property
    def known_fault(self) -> str:
        """The reason why the list's label is doubtful, or "" if it is not doubtful."""
        faults = (WRONG_LABELS.get(self.pair.a), WRONG_LABELS.get(self.pair.b))
        return "; ".join(dict.fromkeys(fault for fault in faults if fault))


def worst_false_matches(result: ModelResult, limit: int) -> tuple[ScoredPair, ...]:
    """Returns impostor pairs that match, the one furthest above the threshold first."""
    wrong = [pair for pair in result.pairs if pair.called_same and not pair.same]
    return tuple(sorted(wrong, key=_distance_over, reverse=True)[:limit])


def worst_false_non_matches(result: ModelResult, limit: int) -> tuple[ScoredPair, ...]:
    """Returns genuine pairs that do not match, the one furthest below the threshold first.

    Pairs without a score are left out; they are failures to acquire, which are listed apart.
    """
    wrong = [pair for pair in result.pairs if pair.called_same is False and pair.same]
    return tuple(sorted(wrong, key=_distance_over)[:limit])


def _distance_over(pair: ScoredPair) -> float:
    if pair.similarity is None:
        raise ValueError(f"Pair {pair.a}, {pair.b} has no score.")
    return pair.similarity - pair.threshold_similarity
