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
    """Returns one operating point for each target FMR, in this order, then "best-accuracy".

    "best-accuracy" has the minimum FMR + FNMR, i.e. the best accuracy if genuine and impostor pairs
    are equally frequent.  Plain accuracy would measure only the FMR if there are a thousand
    impostor pairs for each genuine pair.  Intervals are exact binomial intervals.  Raises
    UsageError for a target that is too low for the number of impostor pairs.
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
    """Returns the card's record of the counts at a threshold, with 95 % intervals.

    Raises InputError for a threshold above 1, at which no pair would match.
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
