"""Chooses the threshold of a decision, and records the threshold's origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from facekit.enums import MeasuredBy, Metric, NamedPoint
from facekit.errors import NoOperatingPointError, UsageError
from facekit.template.calibration import Calibration, OperatingPoint, fmr_target
from facekit.template.metrics import distance, similarity_of
from facekit.template.rates import finest_fmr, point_at_fmr, states, strictest_point
from facekit.template.space import TemplateSpace
from facekit.template.wording import marked

DEFAULT_FMR = 1e-3
PUBLISHED = "published"
"""Target of an operating point that the weights' source states and facekit did not measure."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The minimum cosine similarity of a match, and its origin."""

    similarity: float
    point: OperatingPoint | None
    """The model card's operating point; None if the caller set the threshold."""
    is_strictest: bool = False
    """True if the card does not support the default FMR of 1e-3; `point` is then the strictest."""
    measured_by: MeasuredBy | None = None
    """Who measured `point`; None if the caller set the threshold."""

    @property
    def source(self) -> str:
        """The threshold's origin in words, with a mark if its figures do not ship with facekit."""
        return marked(self.origin, self.measured_by)

    @property
    def origin(self) -> str:
        """The threshold's origin in words, without who measured it."""
        if self.point is None:
            return "given"
        strictest = ""
        if self.is_strictest:
            strictest = f" (its strictest: it does not carry {fmr_target(DEFAULT_FMR)})"
        measured_on = " on ".join(filter(None, (self.point.protocol, self.point.dataset)))
        return f"model card, {self.point.target}{strictest}, {measured_on}"


def given_threshold(distance: float, metric: Metric) -> Threshold:
    """Returns the threshold at a distance.  Raises UsageError outside the range of `metric`."""
    try:
        return Threshold(similarity_of(distance, metric), None)
    except ValueError as error:
        raise UsageError(f"--threshold: {error}") from error


def card_threshold(
    calibration: Calibration, space: TemplateSpace, *, fmr: float | str | None = None
) -> Threshold:
    """Returns the threshold of a card's calibration for templates of `space`.

    `fmr` is a rate, 0..1 (see `point_at_fmr`), or the value of a NamedPoint.  None means FMR 1e-3,
    or if the card does not support this rate, the strictest measured threshold, or if no rate was
    measured, the threshold that the weights' source published.  Raises NoOperatingPointError if
    there is no such threshold, or if the calibration was measured in another space; the message
    then names the field that differs.
    """
    require_measured_in(calibration, space)
    is_strictest = False
    if fmr is None:
        point, is_strictest = _default(calibration)
    elif isinstance(fmr, str):
        point = calibration.operating_point(fmr)
    else:
        point = point_at_fmr(calibration, fmr)
    return Threshold(point.threshold_similarity, point, is_strictest, calibration.measured_by)


def _default(calibration: Calibration) -> tuple[OperatingPoint, bool]:
    """Returns the point of FMR 1e-3 or what stands for it, and whether it is the strictest one."""
    finest = finest_fmr(calibration)
    if not states(calibration, fmr_target(DEFAULT_FMR)) and (finest or 1.0) > DEFAULT_FMR:
        if (strictest := strictest_point(calibration)) is not None:
            return strictest, True
        if states(calibration, PUBLISHED):
            return calibration.operating_point(PUBLISHED), False
    return point_at_fmr(calibration, DEFAULT_FMR), False


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A caller's choice: a threshold, or the model card's threshold at a false match rate.

    Raises UsageError if more than one field is set, or if a value is outside its range.
    """

    threshold: float | None = None
    """Maximum distance of a match, in `metric`."""
    metric: Metric = Metric.COSINE
    """The metric of `threshold`, and of the distances in results."""
    min_similarity: float | None = None
    """Minimum cosine similarity of a match, -1..1."""
    fmr: float | str | None = None
    """Target of the card's threshold: a false match rate, 0..1, or "best-accuracy".

    None means the card's default, see `card_threshold`.
    """

    def __post_init__(self) -> None:
        require_one_of(
            {
                "--threshold": self.threshold,
                "--min-similarity": self.min_similarity,
                "--fmr": self.fmr,
            }
        )
        if self.threshold is not None:
            given_threshold(self.threshold, self.metric)
        if self.min_similarity is not None and not -1.0 <= self.min_similarity <= 1.0:
            raise UsageError(
                "--min-similarity: a cosine similarity lies in -1..1. "
                f"Received: {self.min_similarity}"
            )
        names = [point.value for point in NamedPoint]
        if isinstance(self.fmr, str):
            if self.fmr not in names:
                raise UsageError(
                    f"--fmr: a rate between 0 and 1, or {', '.join(names)}. Received: {self.fmr!r}"
                )
        elif self.fmr is not None and not 0.0 < self.fmr < 1.0:
            raise UsageError(
                f"--fmr: a rate lies between 0 and 1, both excluded. Received: {self.fmr}"
            )

    @property
    def is_given(self) -> bool:
        """True if any field that sets the threshold is not None."""
        return not (self.threshold is self.min_similarity is self.fmr is None)

    def of(self, calibration: Calibration, space: TemplateSpace) -> Threshold:
        """Returns the caller's threshold if there is one, else the card's threshold at `fmr`.

        Raises the errors of `card_threshold`.
        """
        if self.threshold is not None:
            return given_threshold(self.threshold, self.metric)
        if self.min_similarity is not None:
            return Threshold(self.min_similarity, None)
        return card_threshold(calibration, space, fmr=self.fmr)


def require_one_of(given: dict[str, object]) -> None:
    """Raises UsageError if more than one of several options is set.

    `given` maps the names of the options to their values; None means that the option is not set.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} each set the threshold: pass one of them.")


class ChosenThreshold(Protocol):
    """What the threshold of a verification and that of an identification have in common."""

    @property
    def similarity(self) -> float: ...
    @property
    def source(self) -> str: ...
    @property
    def measured_by(self) -> MeasuredBy | None: ...


def threshold_members(threshold: ChosenThreshold | None, metric: Metric) -> dict[str, Any]:
    """Returns the members of JSON that tell of a threshold; None means that none was used."""
    if threshold is None:
        names = ("threshold", "threshold_similarity", "threshold_source", "measured_by")
        return dict.fromkeys(names)
    return {
        "threshold": distance(threshold.similarity, metric),
        "threshold_similarity": threshold.similarity,
        "threshold_source": threshold.source,
        "measured_by": threshold.measured_by and threshold.measured_by.value,
    }


@dataclass(frozen=True, slots=True)
class ScoreMeaning:
    """The FMR of a threshold and the probability of a score; None for a value that is unknown."""

    fmr_at_most: float | None
    """Upper bound of the FMR at the threshold, 0..1."""
    probability: float | None
    """Probability of the same person, 0..1, if genuine pairs are as frequent as in the fit."""
    measured_by: MeasuredBy | None
    """Who measured both."""


def score_meaning(
    calibration: Calibration,
    space: TemplateSpace,
    *,
    threshold_similarity: float,
    similarity: float,
) -> ScoreMeaning:
    """Returns what the calibration states; nothing if it was measured in another space."""
    if calibration.other_space(space):
        return ScoreMeaning(None, None, None)
    logistic = calibration.probability
    fmr = calibration.fmr_at_most(threshold_similarity)
    probability = None if logistic is None else logistic.probability(similarity)
    is_known = fmr is not None or probability is not None
    return ScoreMeaning(fmr, probability, calibration.measured_by if is_known else None)


def require_measured_in(calibration: Calibration, space: TemplateSpace) -> None:
    """Raises NoOperatingPointError, which names the field that differs, for another space."""
    if difference := calibration.other_space(space):
        raise NoOperatingPointError(
            f"The thresholds of {space.model} were measured with {difference}, for which they do "
            "not hold. Pass --threshold, leave the options out that change it, or measure them "
            "anew with facekit calibrate."
        )
