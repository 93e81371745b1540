"""Which threshold a decision uses, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError, UsageError
from facekit.template.calibration import Calibration, OperatingPoint, fmr_target
from facekit.template.match import similarity_of
from facekit.template.space import TemplateSpace

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


def card_threshold(
    calibration: Calibration, space: TemplateSpace, *, fmr: float | None = None
) -> Threshold:
    """The operating point of a card's calibration at `fmr` (0..1), for templates of `space`.

    With None: at FMR 1e-3, or where nobody measured one, the source's published threshold.
    Raises NoOperatingPointError where there is none, and where the calibration was measured in
    another space, whose field it names.
    """
    require_measured_in(calibration, space)
    if fmr is not None:
        return _at(calibration, fmr_target(fmr))
    targets = {point.target for point in calibration.operating_points}
    default = fmr_target(DEFAULT_FMR)
    return _at(
        calibration, PUBLISHED if default not in targets and PUBLISHED in targets else default
    )


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A threshold of the caller's own, or the model card's.

    Raises UsageError where both are asked for.
    """

    distance: float | None = None
    """largest distance of a match, in `metric`"""
    metric: Metric = Metric.COSINE
    """in which `distance` is, and in which results are shown"""
    fmr: float | None = None
    """the card's threshold at this false match rate, 0..1; None: at 1e-3"""

    def __post_init__(self) -> None:
        if self.distance is not None and self.fmr is not None:
            raise UsageError("--threshold and --fmr both say where to cut; pass one of them.")

    def of(self, calibration: Calibration, space: TemplateSpace) -> Threshold:
        """The caller's distance where there is one, else the card's threshold at `fmr`.

        Raises what `given_threshold` and `card_threshold` raise.
        """
        if self.distance is not None:
            return given_threshold(self.distance, self.metric)
        return card_threshold(calibration, space, fmr=self.fmr)


@dataclass(frozen=True, slots=True)
class ScoreMeaning:
    """What a card's calibration says of a threshold and of a score; None where nothing."""

    fmr_at_most: float | None
    """upper bound of the FMR at the threshold: that of the next lower measured one"""
    probability: float | None
    """of the same person, among pairs mixed as those that the card was calibrated on"""


def score_meaning(
    calibration: Calibration,
    space: TemplateSpace,
    *,
    threshold_similarity: float,
    similarity: float,
) -> ScoreMeaning:
    """Nothing where the calibration was measured in another space."""
    if calibration.other_space(space):
        return ScoreMeaning(None, None)
    logistic = calibration.probability
    return ScoreMeaning(
        calibration.fmr_at_most(threshold_similarity),
        None if logistic is None else logistic.probability(similarity),
    )


def require_measured_in(calibration: Calibration, space: TemplateSpace) -> None:
    """Raises NoOperatingPointError, which names the field in which `space` is another one."""
    if difference := calibration.other_space(space):
        raise NoOperatingPointError(
            f"The thresholds of {space.model} were measured with {difference}, for which they do "
            "not hold. Pass --threshold, leave the options out that change it, or measure them "
            "anew with facekit calibrate."
        )


def _at(calibration: Calibration, target: str) -> Threshold:
    point = calibration.operating_point(target)
    return Threshold(point.threshold_similarity, point)
