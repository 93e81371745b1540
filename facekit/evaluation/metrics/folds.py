"""Runs the ten-fold procedure of LFW's View 2 like facenet.

Each fold is scored with the threshold that was chosen from the other nine folds.  The results are
the mean and the population standard deviation over the folds (davidsandberg/facenet,
src/facenet.py: evaluate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.errors import UsageError
from facekit.evaluation.metrics.error_rates import (
    ChooseThreshold,
    ErrorCounts,
    Flags,
    Scores,
    best_accuracy_threshold,
    error_counts,
    is_measurable,
    require_both_kinds,
    threshold_within,
)
from facekit.system.extras import require

FACENET_FAR = 1e-3


@dataclass(frozen=True, slots=True)
class FoldResult:
    counts: ErrorCounts
    """Errors of the fold, at the threshold with the best accuracy on the other folds."""
    val_counts: ErrorCounts
    """Errors of the fold, at the threshold with FMR <= `val_fmr_target` on the other folds."""


@dataclass(frozen=True, slots=True)
class TenFold:
    """The results by fold, in file order.  (facenet's names are VAL for TAR, and FAR for FMR.)"""

    folds: tuple[FoldResult, ...]
    val_fmr_target: float
    val_measurable: bool
    """False if the training folds have too few impostor pairs for the target (rule of three)."""

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """(n_folds,) the threshold of each fold."""
        return np.array([fold.counts.threshold for fold in self.folds])

    @property
    def accuracy(self) -> tuple[float, float]:
        """Mean and population standard deviation over the folds, 0..1."""
        return _mean_std([fold.counts.accuracy for fold in self.folds])

    @property
    def val(self) -> tuple[float, float]:
        """Mean and population standard deviation of TAR at `val_fmr_target`, 0..1."""
        return _mean_std([fold.val_counts.tar for fold in self.folds])

    @property
    def val_fmr(self) -> float:
        """Mean FMR of the held-out folds, 0..1, at the thresholds of `val`."""
        return _mean_std([fold.val_counts.fmr for fold in self.folds])[0]


def ten_fold(
    scores: Scores,
    same: Flags,
    *,
    acquired: Flags | None = None,
    n_folds: int = 10,
    fold_sizes: Sequence[int] | None = None,
    val_fmr_target: float = FACENET_FAR,
    choose: ChooseThreshold = best_accuracy_threshold,
) -> TenFold:
    """Runs the ten-fold procedure.

    `scores`: (N,), or (n_folds, N) whose row k was computed with fold k held out (facenet's
    subtract-mean uses the mean of the other folds).  `same`: (N,) bool, in file order.  A pair
    whose `acquired` (N,) is False has no score; the pair is neither used nor counted.  Folds are
    consecutive and of equal size, as in pairs.txt, except if `fold_sizes` replaces `n_folds`.

    facenet interpolates its VAL threshold between steps of 0.001; this function takes the smallest
    threshold whose FMR is at most the target.  Raises UsageError if N is not a multiple of
    `n_folds`, InputError if a fold or the folds other than one lack genuine or impostor pairs, and
    MissingExtraError if scikit-learn is missing.
    """
    model_selection = require("sklearn.model_selection", extra="evaluate", needed_for="Evaluation")
    if fold_sizes is not None:
        n_folds = len(fold_sizes)
        splitter = model_selection.PredefinedSplit(np.repeat(np.arange(n_folds), fold_sizes))
    elif n_folds < 2 or len(same) % n_folds:
        raise UsageError(f"{len(same)} pairs do not make {n_folds} folds of one size.")
    else:
        splitter = model_selection.KFold(n_folds, shuffle=False)
    by_fold = np.broadcast_to(scores, (n_folds, len(same)))
    usable = np.ones(len(same), np.bool_) if acquired is None else acquired
    folds = []
    n_train_impostor = []
    splits = splitter.split(same)
    for fold_scores, (others, fold) in zip(by_fold, splits, strict=True):
        train, test = others[usable[others]], fold[usable[fold]]
        train_scores, train_same = fold_scores[train], same[train]
        impostor = train_scores[~train_same]
        thresholds = (choose(train_scores, train_same), threshold_within(impostor, val_fmr_target))
        folds.append(
            FoldResult(*(error_counts(fold_scores[test], same[test], t) for t in thresholds))
        )
        n_train_impostor.append(len(impostor))
    return TenFold(
        tuple(folds), val_fmr_target, is_measurable(val_fmr_target, min(n_train_impostor))
    )


def facenet_grid_threshold(scores: Scores, same: Flags) -> float:
    """Returns facenet's threshold: the first best of the squared L2 distances 0, 0.01 ... 3.99.

    The result is a cosine similarity.  facenet matches a pair if the distance is strictly below the
    threshold.  Because this package tests similarity >= threshold, the next larger float64 is
    returned.  Raises InputError if genuine or impostor pairs are missing.
    """
    require_both_kinds(scores, same)
    distance = 2.0 * (1.0 - scores.astype(np.float64))
    grid: NDArray[np.float64] = np.arange(0, 4, 0.01)
    right = [int(((distance < step) == same).sum()) for step in grid]
    return float(np.nextafter(1.0 - grid[int(np.argmax(right))] / 2.0, np.inf))


def _mean_std(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values))
