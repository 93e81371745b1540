"""Metrics against a slow second implementation that compares every score with every other."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError, UsageError
from facekit.evaluation.metrics.error_rates import (
    ErrorCounts,
    Flags,
    Scores,
    auc,
    best_accuracy_threshold,
    equal_error_rate,
    error_counts,
    is_measurable,
    midway,
    roc,
    tar_at_fmr,
    threshold_at_fmr,
    threshold_within,
)


@st.composite
def labeled_scores(draw: st.DrawFn) -> tuple[Scores, Flags]:
    """2 to 60 pairs with few distinct scores, so most are tied; float32 or float64."""
    n = draw(st.integers(2, 60))
    steps = draw(st.lists(st.integers(-10, 10), min_size=n, max_size=n))
    same = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    same[:2] = [True, False]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return np.array(steps, dtype=dtype) / dtype(10), same


def slow_counts(scores: Scores, same: Flags, threshold: float) -> tuple[int, int]:
    false_matches = sum(float(s) >= threshold for s, t in zip(scores, same, strict=True) if not t)
    false_non_matches = sum(
        not float(s) >= threshold for s, t in zip(scores, same, strict=True) if t
    )
    return false_matches, false_non_matches


def slow_auc(scores: Scores, same: Flags) -> float:
    """The share of (genuine, impostor) couples in the right order; a tie is a half."""
    wins = 0.0
    genuine, impostor = scores[same], scores[~same]
    for g in genuine:
        for i in impostor:
            wins += 1.0 if g > i else 0.5 if g == i else 0.0
    return wins / (len(genuine) * len(impostor))


def slow_eer(scores: Scores, same: Flags) -> float:
    """Walks the polyline of (FMR, FNMR) from the strictest threshold to where FMR >= FNMR."""
    n_genuine, n_impostor = int(same.sum()), int((~same).sum())
    previous = (0.0, 1.0)
    for threshold in sorted({float(s) for s in scores}, reverse=True):
        false_matches, false_non_matches = slow_counts(scores, same, threshold)
        fmr, fnmr = false_matches / n_impostor, false_non_matches / n_genuine
        if fmr >= fnmr:
            fmr0, fnmr0 = previous
            step = (fnmr0 - fmr0) / ((fnmr0 - fmr0) + (fmr - fnmr))
            return fmr0 + step * (fmr - fmr0)
        previous = (fmr, fnmr)
    raise AssertionError("at the least score everything is accepted: FMR 1, FNMR 0")


@given(labeled_scores())
def test_auc_and_eer(data: tuple[Scores, Flags]) -> None:
    curve = roc(*data)
    assert auc(curve) == pytest.approx(slow_auc(*data), abs=1e-12)
    assert equal_error_rate(curve) == pytest.approx(slow_eer(*data), abs=1e-12)


@given(labeled_scores())
def test_roc_points_are_the_rates_at_their_thresholds(data: tuple[Scores, Flags]) -> None:
    scores, same = data
    curve = roc(scores, same)
    assert len(curve.thresholds) == len(np.unique(scores)) + 1
    for fmr, tar, threshold in zip(curve.fmr, curve.tar, curve.thresholds, strict=True):
        counts = error_counts(scores, same, float(threshold))
        assert (counts.false_matches, counts.false_non_matches) == slow_counts(
            scores, same, float(threshold)
        )
        assert counts.fmr == pytest.approx(fmr, abs=1e-12)
        assert counts.tar == pytest.approx(tar, abs=1e-12)


@given(labeled_scores())
def test_the_best_threshold_has_the_fewest_errors(data: tuple[Scores, Flags]) -> None:
    scores, same = data
    threshold = best_accuracy_threshold(scores, same)
    distinct = sorted({float(s) for s in scores})
    candidates = [*distinct, distinct[-1] + 1.0]
    fewest = {t: sum(slow_counts(scores, same, t)) for t in candidates}
    assert sum(slow_counts(scores, same, threshold)) == min(fewest.values())
    strictest = max(t for t, errors in fewest.items() if errors == min(fewest.values()))
    rejected = [s for s in distinct if s < strictest]
    assert threshold <= strictest
    assert not rejected or rejected[-1] < threshold
    assert error_counts(scores, same, threshold).n_errors == min(fewest.values())


@given(labeled_scores(), st.floats(0.001, 0.999))
def test_threshold_within_fmr(data: tuple[Scores, Flags], target: float) -> None:
    scores, same = data
    impostor = scores[~same]
    threshold = threshold_within(impostor, target)
    assert slow_counts(scores, same, threshold)[0] / len(impostor) <= target
    one_less = float(np.nextafter(scores.dtype.type(threshold), scores.dtype.type(-2)))
    assert slow_counts(scores, same, one_less)[0] / len(impostor) > target


@pytest.mark.parametrize(("target", "allowed"), [(0.29, 29), (0.3, 30), (0.03, 3), (0.295, 29)])
def test_threshold_is_exact_where_the_product_rounds(target: float, allowed: int) -> None:
    impostor = np.arange(100.0)  # 0.29 * 100 is 28.999999999999996
    threshold = threshold_at_fmr(impostor, target)
    assert int((impostor >= threshold).sum()) == allowed


def test_hand_worked_case() -> None:
    #         accepted at 0.5: genuine .9 .6, impostor .5
    scores = np.array([0.9, 0.6, 0.4, 0.5, 0.2, 0.1])
    same = np.array([True, True, True, False, False, False])
    counts = error_counts(scores, same, 0.5)
    assert counts == ErrorCounts(0.5, 3, 3, false_matches=1, false_non_matches=1)
    assert counts.fmr == counts.fnmr == pytest.approx(1 / 3)
    assert counts.tar == counts.accuracy == pytest.approx(2 / 3)
    assert auc(roc(scores, same)) == pytest.approx(8 / 9)
    assert equal_error_rate(roc(scores, same)) == pytest.approx(1 / 3)
    assert best_accuracy_threshold(scores, same) == pytest.approx(0.55)  # and not 0.3, as good


def test_best_threshold_at_the_ends() -> None:
    kinds = np.array([True, False])
    assert best_accuracy_threshold(np.array([0.1, 0.9]), kinds) > 0.9  # accepts none
    mostly_genuine = np.array([True, True, False])
    assert best_accuracy_threshold(np.array([0.1, 0.5, 0.9]), mostly_genuine) == 0.1


def test_a_threshold_is_not_rounded_to_the_scores_precision() -> None:
    scores = np.array([0.1, 0.2], dtype=np.float32)
    just_above = float(np.nextafter(float(scores[1]), 1.0))
    assert error_counts(scores, np.array([False, True]), just_above).false_non_matches == 1


def test_midway_never_reaches_the_rejected_score() -> None:
    assert midway(0.5, 0.25) == 0.375
    above = float(np.nextafter(0.5, 1.0))
    assert midway(above, 0.5) == above


def test_rule_of_three() -> None:
    assert is_measurable(1e-3, 3000)
    assert not is_measurable(1e-3, 2999)
    scores = np.linspace(-1, 1, 1000)
    same = np.arange(1000) >= 500
    assert threshold_at_fmr(scores[~same], 6e-3) == pytest.approx(float(scores[496]), abs=1e-12)
    with pytest.raises(UsageError, match="30,000 are needed"):
        threshold_at_fmr(scores[~same], 1e-4)
    too_fine = tar_at_fmr(scores, same, 1e-4)
    assert (too_fine.measurable, too_fine.counts) == (False, None)
    fine = tar_at_fmr(scores, same, 1e-2)
    assert fine.measurable
    assert fine.counts is not None
    assert fine.counts.false_matches == 5
    for target in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="between 0 and 1"):
            tar_at_fmr(scores, same, target)


def test_both_kinds_are_needed() -> None:
    with pytest.raises(InputError, match="Received: 2 genuine, 0 impostor"):
        error_counts(np.array([0.1, 0.2]), np.array([True, True]), 0.5)
    with pytest.raises(InputError, match="Received: 0 genuine, 0 impostor"):
        roc(np.array([]), np.array([], dtype=np.bool_))
    with pytest.raises(ValueError, match="finite"):
        roc(np.array([0.1, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="bool needed"):
        roc(np.array([0.1, 0.2]), np.array([True]))


@pytest.mark.parametrize(("n", "distance"), [(3000, 3.0), (500, 4.0), (2000, 0.5)])
def test_eer_against_pyeer(n: int, distance: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyeer is from before NumPy 2
        stats = pytest.importorskip("pyeer.eer_info")
    random = np.random.default_rng(n)
    genuine, impostor = random.normal(distance, 1, n), random.normal(0, 1, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.get_eer_stats(genuine, impostor).eer
    scores = np.concatenate([genuine, impostor])
    assert equal_error_rate(roc(scores, np.arange(2 * n) < n)) == pytest.approx(expected, abs=1e-3)
