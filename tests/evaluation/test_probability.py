"""The logistic fit against scikit-learn's, and reliability by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError
from facekit.evaluation.metrics.error_rates import Flags, Scores
from facekit.evaluation.metrics.probability import fit_probability, probabilities, reliability
from facekit.template.calibration import LogisticScore


def overlapping(seed: int, n: int = 2000) -> tuple[Scores, Flags]:
    random = np.random.default_rng(seed)
    same = random.random(n) < 0.5
    return random.normal(np.where(same, 0.6, 0.1), 0.2).astype(np.float32), same


def test_against_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    scores, same = overlapping(0)
    fit = fit_probability(scores, same)
    n, m = int(same.sum()), int((~same).sum())
    target = np.where(same, (n + 1) / (n + 2), 1 / (m + 2))
    # A soft target t is a positive of weight t and a negative of weight 1 - t.
    reference = linear_model.LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(
        np.tile(scores.astype(np.float64), 2)[:, None],
        np.arange(2 * len(scores)) < len(scores),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    assert fit.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert fit.intercept == pytest.approx(reference.intercept_[0], rel=1e-4)
    assert (fit.n_genuine, fit.n_impostor) == (n, m)


@given(st.integers(0, 10**6), st.integers(2, 50), st.floats(0.001, 100))
def test_the_mean_probability_is_the_share_of_genuine_pairs(
    seed: int, n: int, spread: float
) -> None:
    random = np.random.default_rng(seed)
    scores, same = random.normal(0, spread, n), random.random(n) < 0.5
    same[:2] = [True, False]
    fit = fit_probability(scores, same)
    n_genuine, n_impostor = int(same.sum()), int((~same).sum())
    expected = n_genuine * (n_genuine + 1) / (n_genuine + 2) + n_impostor / (n_impostor + 2)
    assert probabilities(fit, scores).sum() == pytest.approx(expected, rel=1e-6)


def test_kinds_that_do_not_overlap_keep_the_fit_finite() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    fit = fit_probability(scores, scores > 0.5)
    assert fit.probability(0.9) == pytest.approx(3 / 4, abs=0.05)
    assert fit.probability(0.5) == pytest.approx(0.5, abs=1e-6)
    extreme = probabilities(LogisticScore(1e4, 0.0, 1, 1), np.array([-1.0, 1.0]))
    assert extreme.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("same", [[True, True], [False, False], [True, False]])
def test_scores_that_cannot_be_calibrated(same: list[bool]) -> None:
    with pytest.raises(InputError, match="needed to calibrate"):
        fit_probability(np.array([0.5, 0.5]), np.array(same))


def test_reliability_by_hand() -> None:
    probabilities = np.array([0.05, 0.15, 0.95, 1.0])
    outcome = np.array([False, True, True, False])
    result = reliability(probabilities, outcome)
    assert [(b.low, b.high, b.n_pairs) for b in result.bins] == [
        (0.0, 0.1, 1),
        (0.1, 0.2, 1),
        (0.9, 1.0, 2),
    ]
    assert result.bins[2].mean_probability == pytest.approx(0.975)
    assert result.bins[2].observed == 0.5
    assert result.expected_calibration_error == pytest.approx((0.05 + 0.85 + 2 * 0.475) / 4)
    assert result.brier_score == pytest.approx((0.05**2 + 0.85**2 + 0.05**2 + 1.0) / 4)
    with pytest.raises(ValueError, match="N > 0"):
        reliability(np.array([]), np.array([], dtype=np.bool_))


def test_a_fit_is_reliable_on_pairs_it_has_not_seen() -> None:
    fit = fit_probability(*overlapping(1))
    scores, same = overlapping(2)
    assert reliability(probabilities(fit, scores), same).expected_calibration_error < 0.03
    doubted = LogisticScore(fit.slope / 4, fit.intercept / 4, 1, 1)
    assert reliability(probabilities(doubted, scores), same).expected_calibration_error > 0.1
