"""Computes the operating points of a model's card from the scores of all pairs."""

from __future__ import annotations

from facekit.errors import InputError
from facekit.evaluation.metrics.all_pairs import AllPairs
from facekit.evaluation.metrics.error_rates import ErrorCounts
from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.template.calibration import OperatingPoint, fmr_target

DEFAULT_FMR_TARGETS = (1e-2, 1e-3, 1e-4)
BEST_ACCURACY = "best-accuracy"


def operating_points(
    scores: AllPairs,
    *,
    protocol: str,
    dataset: str,
    fmr_targets: tuple[float, ...] = DEFAULT_FMR_TARGETS,
) -> tuple[OperatingPoint, ...]:
    """One point a target FMR, in the order given, then "best-accuracy".

    The last has the least FMR + FNMR, i.e. the best accuracy on as many genuine as impostor
    pairs; with a thousand impostor pairs to a genuine one, plain accuracy would measure the FMR
    alone.  Intervals are exact binomial ones.  Raises UsageError for a target that the impostor
    count cannot carry.
    """
    thresholds = [(fmr_target(fmr), scores.threshold_at_fmr(fmr)) for fmr in fmr_targets]
    thresholds.append((BEST_ACCURACY, scores.best_balanced_threshold()))
    return tuple(
        operating_point(scores.counts_at(threshold), target, protocol=protocol, dataset=dataset)
        for target, threshold in thresholds
    )


def operating_point(
    counts: ErrorCounts, target: str, *, protocol: str, dataset: str
) -> OperatingPoint:
    """The counts at a threshold as the card's record, with 95 % intervals.

    Raises InputError for a threshold above 1, which would call no pair the same.
    """
    if counts.threshold > 1.0:
        raise InputError(
            f"No threshold reaches {target}: too many impostor pairs have a similarity of 1. "
            "Look for one photo under two names."
        )
    return OperatingPoint(
        target=target,
        threshold_similarity=counts.threshold,
        fmr=counts.fmr,
        fnmr=counts.fnmr,
        n_genuine=counts.n_genuine,
        n_impostor=counts.n_impostor,
        fmr_ci95=binomial_ci95(counts.false_matches, counts.n_impostor),
        fnmr_ci95=binomial_ci95(counts.false_non_matches, counts.n_genuine),
        protocol=protocol,
        dataset=dataset,
    )
