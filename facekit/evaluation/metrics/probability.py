"""Fits the probability that two faces are of one person to scores, and measures its reliability.

The probability holds if genuine and impostor pairs are as frequent as among the fitted pairs, e.g.
one half each.  If impostor pairs are far more frequent, the probability is far lower, and an
operating point should be used instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.evaluation.metrics.error_rates import Flags, Scores
from facekit.template.calibration import LogisticScore

_MAX_STEPS = 100
_CONVERGED = 1e-10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    low: float
    high: float
    n_pairs: int
    mean_probability: float
    observed: float
    """Share of the bin's pairs that are genuine, 0..1."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities compared with labels, on pairs that were not used for the fit."""

    bins: tuple[ReliabilityBin, ...]
    """The bins that contain at least one pair, by ascending probability."""
    expected_calibration_error: float
    """Mean of |mean_probability - observed|, weighted by pairs (Naeini et al. 2015)."""
    brier_score: float
    """Mean squared difference of probability and label; 0.25 if every probability is 1/2."""


def probabilities(fit: LogisticScore, scores: Scores) -> NDArray[np.float64]:
    """Maps (N,) cosine similarities to (N,) probabilities of the same person, 0..1."""
    return _logistic(fit.slope * scores.astype(np.float64) + fit.intercept)


def fit_probability(scores: Scores, same: Flags) -> LogisticScore:
    """Fits a logistic regression by Newton's method, on Platt's targets.

    `scores`: (N,); `same`: (N,) bool.  The targets (n + 1) / (n + 2) and 1 / (n + 2) (Platt 1999)
    keep the fit finite if genuine and impostor scores do not overlap.  Raises InputError if one
    kind of pair is missing or all scores are equal.
    """
    n_genuine = int(same.sum())
    n_impostor = len(same) - n_genuine
    if not n_genuine or not n_impostor or float(np.ptp(scores)) == 0.0:
        raise InputError(
            "Genuine and impostor pairs with different scores are needed to calibrate. "
            f"Received: {n_genuine} genuine, {n_impostor} impostor."
        )
    target = np.where(same, (n_genuine + 1) / (n_genuine + 2), 1 / (n_impostor + 2))
    inputs = np.stack([scores.astype(np.float64), np.ones(len(scores))])  # (2, N)
    weights = np.zeros(2)
    loss = _log_loss(weights @ inputs, target)
    for _ in range(_MAX_STEPS):
        probability = _logistic(weights @ inputs)
        gradient = inputs @ (probability - target)
        hessian = (inputs * (probability * (1 - probability))) @ inputs.T
        step = np.linalg.solve(hessian, gradient)
        # Halved until the convex loss falls, because a full Newton step can overshoot.
        while (stepped := _log_loss((weights - step) @ inputs, target)) > loss:
            step /= 2
        weights, loss = weights - step, stepped
        if float(np.abs(step).max()) < _CONVERGED:
            break
    return LogisticScore(float(weights[0]), float(weights[1]), n_genuine, n_impostor)


def reliability(
    probabilities: NDArray[np.float64], same: Flags, *, n_bins: int = 10
) -> Reliability:
    """Counts (N,) probabilities and labels in `n_bins` bins of equal width; use held-out pairs."""
    if not len(same) or probabilities.shape != same.shape:
        raise ValueError(
            f"(N,) arrays, N > 0, needed. Received: {probabilities.shape}, {same.shape}"
        )
    number = np.minimum((probabilities * n_bins).astype(np.intp), n_bins - 1)
    bins = tuple(
        ReliabilityBin(
            low=k / n_bins,
            high=(k + 1) / n_bins,
            n_pairs=int(inside.sum()),
            mean_probability=float(probabilities[inside].mean()),
            observed=float(same[inside].mean()),
        )
        for k in range(n_bins)
        if (inside := number == k).any()
    )
    gaps = sum(b.n_pairs * abs(b.mean_probability - b.observed) for b in bins)
    return Reliability(bins, gaps / len(same), float(np.mean((probabilities - same) ** 2)))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))  # no overflow for large |x|


def _log_loss(x: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0.0, x) - target * x).sum())
