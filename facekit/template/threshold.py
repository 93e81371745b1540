"""Which threshold a decision uses, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Metric, NamedPoint
from facekit.errors import NoOperatingPointError, UsageError
from facekit.template.calibration import Calibration, OperatingPoint, fmr_target
from facekit.template.match import similarity_of
from facekit.template.rates import finest_fmr, point_at_fmr, states, strictest_point
from facekit.template.space import TemplateSpace

DEFAULT_FMR = 1e-3
PUBLISHED = "published"
"""target of an operating point that only the weights' source states, not measured by us"""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Least cosine similarity of a match."""

    similarity: float
    point: OperatingPoint | None
    """the model card's operating point; None where the caller gave the number"""
    is_strictest: bool = False
    """True where the card does not carry the default FMR of 1e-3: `point` is its strictest"""

    @property
    def source(self) -> str:
        """Where the threshold comes from, in words."""
        if self.point is None:
            return "given"
        strictest = ""
        if self.is_strictest:
            strictest = f" (its strictest: it does not carry {fmr_target(DEFAULT_FMR)})"
        measured_on = " on ".join(filter(None, (self.point.protocol, self.point.dataset)))
        return f"model card, {self.point.target}{strictest}, {measured_on}"


def given_threshold(distance: float, metric: Metric) -> Threshold:
    """The user's own number, a distance of `metric`.  Raises UsageError outside its range."""
    try:
        return Threshold(similarity_of(distance, metric), None)
    except ValueError as error:
        raise UsageError(f"--threshold: {error}") from error


def card_threshold(
    calibration: Calibration, space: TemplateSpace, *, fmr: float | str | None = None
) -> Threshold:
    """The threshold of a card's calibration for templates of `space`.

    `fmr`: a rate, 0..1, see `point_at_fmr`, or a NamedPoint's name.  None: at FMR 1e-3;
    where the card does not carry that, its strictest; where nothing was measured, the source's
    published threshold.  Raises NoOperatingPointError where there is none, and where the
    calibration was measured in another space, whose field it names.
    """
    require_measured_in(calibration, space)
    if fmr is None:
        return _default(calibration)
    if isinstance(fmr, str):
        point = calibration.operating_point(fmr)
    else:
        point = point_at_fmr(calibration, fmr)
    return Threshold(point.threshold_similarity, point)


def _default(calibration: Calibration) -> Threshold:
    finest = finest_fmr(calibration)
    if not states(calibration, fmr_target(DEFAULT_FMR)) and (finest or 1.0) > DEFAULT_FMR:
        if (strictest := strictest_point(calibration)) is not None:
            return Threshold(strictest.threshold_similarity, strictest, is_strictest=True)
        if states(calibration, PUBLISHED):
            published = calibration.operating_point(PUBLISHED)
            return Threshold(published.threshold_similarity, published)
    point = point_at_fmr(calibration, DEFAULT_FMR)
    return Threshold(point.threshold_similarity, point)


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """A threshold of the caller's own, or the model card's at a rate.

    Raises UsageError for more than one, and for a number outside its range.
    """

    threshold: float | None = None
    """largest distance of a match, in `metric`"""
    metric: Metric = Metric.COSINE
    """in which `threshold` is, and in which results are shown"""
    min_similarity: float | None = None
    """least cosine similarity of a match, -1..1"""
    fmr: float | str | None = None
    """the card's threshold at this false match rate, 0..1, or "best-accuracy"; None: at 1e-3"""

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
        """Did the caller say anything of the threshold?"""
        return not (self.threshold is self.min_similarity is self.fmr is None)

    def of(self, calibration: Calibration, space: TemplateSpace) -> Threshold:
        """The caller's number where there is one, else the card's threshold at `fmr`.

        Raises what `card_threshold` raises.
        """
        if self.threshold is not None:
            return given_threshold(self.threshold, self.metric)
        if self.min_similarity is not None:
            return Threshold(self.min_similarity, None)
        return card_threshold(calibration, space, fmr=self.fmr)


def require_one_of(given: dict[str, object]) -> None:
    """Raises UsageError where more than one of several options has a value.

    `given`: the options' values by name, None for one that was not given.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} each set the threshold: pass one of them.")


@dataclass(frozen=True, slots=True)
class ScoreMeaning:
    """What a card's calibration says of a threshold and of a score; None where nothing."""

    fmr_at_most: float | None
    """upper bound of the FMR at the threshold"""
    probability: float | None
    """of the same person, where genuine pairs are as frequent as among those it was fitted on"""


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
