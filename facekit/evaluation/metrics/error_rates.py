"""Computes error rates, ROC, EER and thresholds from the scores of labeled pairs.

Scores are cosine similarities; a pair is a match if score >= threshold.  In all functions `scores`
is (N,) floating and finite, `same` (N,) bool, True for a genuine pair.
FMR = false matches / impostor pairs; FNMR = false non-matches / genuine pairs; TAR = 1 - FNMR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError, UsageError
from facekit.system.extras import require
from facekit.template.calibration import RULE_OF_THREE

Scores: TypeAlias = NDArray[np.floating[Any]]
Flags: TypeAlias = NDArray[np.bool_]
ChooseThreshold: TypeAlias = Callable[[Scores, Flags], float]


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """The counts of errors at a threshold, and the rates computed from them."""

    threshold: float
    n_genuine: int
    n_impostor: int
    false_matches: int
    false_non_matches: int

    @property
    def fmr(self) -> float:
        return self.false_matches / self.n_impostor

    @property
    def fnmr(self) -> float:
        return self.false_non_matches / self.n_genuine

    @property
    def tar(self) -> float:
        return (self.n_genuine - self.false_non_matches) / self.n_genuine

    @property
    def n_errors(self) -> int:
        return self.false_matches + self.false_non_matches

    @property
    def accuracy(self) -> float:
        n = self.n_genuine + self.n_impostor
        return (n - self.n_errors) / n


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """The curve with one point for each distinct score, beginning at (0, 0)."""

    fmr: NDArray[np.float64]
    """(K,) non-decreasing, 0..1."""
    tar: NDArray[np.float64]
    """(K,) non-decreasing, 0..1."""
    thresholds: NDArray[np.float64]
    """(K,) decreasing; the first is +inf, at which nothing matches."""


@dataclass(frozen=True, slots=True)
class TarAtFmr:
    """TAR at the smallest threshold whose FMR is at most the target, on the same pairs."""

    target_fmr: float
    measurable: bool
    """False if there are too few impostor pairs for the target (rule of three).  `counts` is
    then None."""
    counts: ErrorCounts | None


def error_counts(scores: Scores, same: Flags, threshold: float) -> ErrorCounts:
    """Counts the errors at a threshold.

    Raises InputError if genuine or impostor pairs are missing.
    """
    require_both_kinds(scores, same)
    accepted = scores.astype(np.float64) >= threshold  # float32 would round the threshold
    return ErrorCounts(
        threshold=threshold,
        n_genuine=int(same.sum()),
        n_impostor=int((~same).sum()),
        false_matches=int((accepted & ~same).sum()),
        false_non_matches=int((~accepted & same).sum()),
    )


def roc(scores: Scores, same: Flags) -> Roc:
    """Returns scikit-learn's roc_curve without dropping any point.

    Raises InputError if genuine or impostor pairs are missing, and MissingExtraError without
    scikit-learn.
    """
    require_both_kinds(scores, same)
    fmr, tar, thresholds = _sklearn_metrics().roc_curve(same, scores, drop_intermediate=False)
    return Roc(fmr, tar, thresholds.astype(np.float64))


def auc(curve: Roc) -> float:
    """Returns the area under the ROC; a tie of a genuine and an impostor score counts one half.

    Raises MissingExtraError without scikit-learn.
    """
    return float(_sklearn_metrics().auc(curve.fmr, curve.tar))


def equal_error_rate(curve: Roc) -> float:
    """Returns the rate, 0..1, at which FMR = FNMR on the ROC.

    Straight lines join the ROC's neighboring points, as for the AUC; the EER is where such a line
    crosses FMR = FNMR.  The EER summarizes the curve; it is not an operating point.
    """
    gap = curve.fmr + curve.tar - 1.0  # FMR - FNMR: non-decreasing from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    weight = gap[before] / (gap[before] - gap[after])
    return float(curve.fmr[before] + weight * (curve.fmr[after] - curve.fmr[before]))


def best_accuracy_threshold(scores: Scores, same: Flags) -> float:
    """Returns the threshold with the largest number of correct decisions on these pairs.

    If several thresholds are equally good, returns the highest.  The threshold lies midway between
    the lowest accepted and the highest rejected score.  It is the lowest score if all scores are
    accepted, and just above the highest score if none is.  The accuracy on the same pairs is too
    high, so that the accuracy should be measured on other pairs.  Raises InputError if genuine or
    impostor pairs are missing, and MissingExtraError if scikit-learn is missing.
    """
    scores = scores.astype(np.float64)
    curve = roc(scores, same)
    n_genuine = int(same.sum())
    n_correct = np.rint(curve.tar * n_genuine) - np.rint(curve.fmr * (len(same) - n_genuine))
    best = int(np.argmax(n_correct))
    if best == 0:
        return float(np.nextafter(scores.max(), np.inf))
    least_accepted = float(curve.thresholds[best])
    rejected = scores[scores < least_accepted]
    return midway(least_accepted, float(rejected.max())) if len(rejected) else least_accepted


def midway(accepted: float, rejected: float) -> float:
    """Returns the midpoint of two scores, or `accepted` if rounding would reach `rejected`."""
    middle = (accepted + rejected) / 2.0
    return middle if middle > rejected else accepted


def is_measurable(fmr: float, n_impostor: int) -> bool:
    """Returns whether this number of impostor pairs is enough for the FMR, by the rule of three."""
    return fmr * n_impostor >= RULE_OF_THREE * (1 - 1e-12)  # tolerates the rounding of 1e-3 * 3,000


def require_measurable(fmr: float, n_impostor: int) -> None:
    """Raises UsageError if the FMR is not between 0 and 1, or too low for this number of pairs."""
    if not 0.0 < fmr < 1.0:
        raise UsageError(f"A target FMR lies between 0 and 1. Received: {fmr}")
    if not is_measurable(fmr, n_impostor):
        raise UsageError(
            f"FMR {fmr:g} cannot be measured on {n_impostor} impostor pairs: "
            f"{RULE_OF_THREE / fmr:,.0f} are needed (rule of three). The finest target here is "
            f"{RULE_OF_THREE / max(n_impostor, 1):.2g}: ask for no finer one, or bring more people."
        )


def threshold_at_fmr(impostor: Scores, target: float) -> float:
    """Returns the smallest number of the scores' dtype that, as threshold, has an FMR <= `target`.

    `impostor`: (N,) scores.  Raises UsageError if N is too small for the target, or the target is
    not between 0 and 1.
    """
    require_measurable(target, len(impostor))
    return threshold_within(impostor, target)


def tar_at_fmr(scores: Scores, same: Flags, target: float) -> TarAtFmr:
    """Returns TAR at a target FMR; a target too low for the pairs is marked as not measurable.

    Raises UsageError for a target that is not between 0 and 1, and InputError if genuine or
    impostor pairs are missing.
    """
    require_both_kinds(scores, same)
    impostor = scores[~same]
    if 0.0 < target < 1.0 and not is_measurable(target, len(impostor)):
        return TarAtFmr(target, False, None)
    threshold = threshold_at_fmr(impostor, target)
    return TarAtFmr(target, True, error_counts(scores, same, threshold))


def allowed_false_matches(target: float, n_impostor: int) -> int:
    """Returns the largest k with k / n_impostor <= target, exact in floating point."""
    k = round(target * n_impostor) + 1
    while k / n_impostor > target:
        k -= 1
    return k


def threshold_within(impostor: Scores, target: float) -> float:
    """Returns `threshold_at_fmr` without the rule of three, for protocols defined without it.

    `impostor`: (N,) scores; `target`: an FMR between 0 and 1.
    """
    allowed = allowed_false_matches(target, len(impostor))
    position = len(impostor) - 1 - allowed  # index of the highest score that must be rejected
    must_reject = np.partition(impostor, position)[position]
    return float(np.nextafter(must_reject, np.inf, dtype=impostor.dtype))


def require_both_kinds(scores: Scores, same: Flags) -> None:
    """Raises InputError if genuine or impostor pairs are missing, ValueError for invalid scores."""
    if scores.ndim != 1 or scores.shape != same.shape or same.dtype != np.bool_:
        raise ValueError(
            f"scores (N,) and same (N,) bool needed. Received: {scores.shape}, "
            f"{same.shape} {same.dtype}"
        )
    if not np.isfinite(scores).all():
        raise ValueError("Scores must be finite; count failures apart from scores.")
    n_genuine = int(same.sum())
    if not 0 < n_genuine < len(same):
        raise InputError(
            "Genuine and impostor pairs are both needed. "
            f"Received: {n_genuine} genuine, {len(same) - n_genuine} impostor."
        )


def _sklearn_metrics() -> Any:
    return require("sklearn.metrics", extra="evaluate", needed_for="Evaluation")
