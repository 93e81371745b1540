"""Which threshold a decision uses, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError, UsageError
from facekit.model.card import Card
from facekit.template.calibration import OperatingPoint, fmr_target
from facekit.template.match import similarity_of
from facekit.types import CropSpec

DEFAULT_FMR = 1e-3
PUBLISHED = "published"
"""target of an operating point that only the weights' source states, not measured by us"""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Least cosine similarity of a match; `point` is None where the user gave the number."""

    similarity: float
    point: OperatingPoint | None


def given_threshold(distance: float, metric: Metric) -> Threshold:
    """The user's own number, a distance of `metric`.  Raises UsageError outside its range."""
    try:
        return Threshold(similarity_of(distance, metric), None)
    except ValueError as error:
        raise UsageError(f"--threshold: {error}") from error


def card_threshold(card: Card, *, crop: CropSpec | None, fmr: float | None = None) -> Threshold:
    """The card's operating point at `fmr` (0..1).

    With None: at FMR 1e-3, or where nobody measured one, the source's published threshold.
    Raises NoOperatingPointError where there is none, and where `crop` (None: the card's own) is
    not the rule that the card's thresholds were measured with.
    """
    if crop is not None and crop != card.crop:
        raise NoOperatingPointError(
            f"The thresholds of {card.name} ({card.variant}) were measured with its own crop rule "
            "and do not hold for another. Pass --threshold, or leave the crop options out."
        )
    if fmr is not None:
        return _at(card, fmr_target(fmr))
    targets = {point.target for point in card.calibration.operating_points}
    default = fmr_target(DEFAULT_FMR)
    return _at(card, PUBLISHED if default not in targets and PUBLISHED in targets else default)


def chosen_threshold(
    card: Card,
    *,
    crop: CropSpec | None,
    distance: float | None = None,
    metric: Metric = Metric.COSINE,
    fmr: float | None = None,
) -> Threshold:
    """The user's `distance` in `metric` where there is one, else the card's at `fmr`.

    Raises what `given_threshold` and `card_threshold` raise.
    """
    if distance is not None:
        return given_threshold(distance, metric)
    return card_threshold(card, crop=crop, fmr=fmr)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a card's calibration says of a threshold and of a score; None where nothing."""

    fmr_at_most: float | None
    """upper bound of the FMR at the threshold: that of the next lower measured one"""
    probability: float | None
    """of the same person, among pairs mixed as those that the card was calibrated on"""


def meaning(
    card: Card, *, crop: CropSpec | None, threshold_similarity: float, similarity: float
) -> Meaning:
    """Nothing where `crop` (None: the card's own) is not the rule that the card is measured for."""
    calibration = card.calibration
    if crop is not None and crop != card.crop:
        return Meaning(None, None)
    logistic = calibration.probability
    return Meaning(
        calibration.fmr_at_most(threshold_similarity),
        None if logistic is None else logistic.probability(similarity),
    )


def _at(card: Card, target: str) -> Threshold:
    point = card.calibration.operating_point(target)
    return Threshold(point.threshold_similarity, point)
