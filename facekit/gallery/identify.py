"""Identifies a face in a gallery, with a threshold that depends on the gallery's size.

A photo of somebody who is not enrolled is compared with N templates.  If each comparison matches
falsely with probability FMR, independently, the probability that any template matches is

    FPIR(N) = 1 - (1 - FMR)^N

This is a prediction from the card's 1:1 error rates, not a measurement, because templates of one
person are not independent, and photos may differ from the photos that the card was measured on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from facekit.enums import IdentityAnswer, MeasuredBy, PersonRule
from facekit.errors import NoOperatingPointError, UsageError
from facekit.gallery.gallery import Gallery
from facekit.gallery.records import Candidate
from facekit.template.calibration import Calibration
from facekit.template.margin_rule import MarginRule
from facekit.template.rates import finest_fmr, point_at_fmr
from facekit.template.space import TemplateSpace
from facekit.template.threshold import Threshold, ThresholdChoice, require_measured_in
from facekit.template.wording import marked
from facekit.types import Float32Array

DEFAULT_FPIR = 0.01


@dataclass(frozen=True, slots=True)
class Identification:
    """The result for one face."""

    answer: IdentityAnswer
    candidates: tuple[Candidate, ...]
    """The most similar people, best first, also if unknown; empty if nobody is enrolled.

    An ambiguous face has both people, even if one candidate was asked for."""
    margin: float | None
    """Similarity of the first candidate minus the second's; None if there is no second one."""

    @property
    def known(self) -> bool:
        """True if the best candidate reaches the threshold and the least margin."""
        return self.answer is IdentityAnswer.KNOWN


def identify(
    gallery: Gallery,
    queries: Float32Array,
    space: TemplateSpace,
    *,
    threshold_similarity: float,
    min_margin: float = 0.0,
    rule: PersonRule = PersonRule.BEST,
    top: int = 5,
) -> list[Identification]:
    """Identifies (Q, D) float32 vectors of unit length; returns Q results.

    A face is ambiguous if its best candidate reaches the threshold, but is less than `min_margin`
    more similar than the second.
    Raises ModelMismatchError if the templates are of another space, and StorageError if the gallery
    cannot be read.
    """
    ranked = gallery.rank(queries, space, rule=rule, top=max(top, 2))  # 2: for the margin
    return [_answered(best, threshold_similarity, min_margin, top) for best in ranked]


def _answered(
    best: Sequence[Candidate], threshold_similarity: float, min_margin: float, top: int
) -> Identification:
    margin = best[0].similarity - best[1].similarity if len(best) > 1 else None
    answer = IdentityAnswer.KNOWN
    if not best or best[0].similarity < threshold_similarity:
        answer = IdentityAnswer.UNKNOWN
    elif margin is not None and margin < min_margin:
        answer = IdentityAnswer.AMBIGUOUS
        top = max(top, 2)
    return Identification(answer, candidates=tuple(best[:top]), margin=margin)


@dataclass(frozen=True, slots=True)
class OpenSetThreshold:
    """Minimum similarity of a known face, and the error rates that are expected with it."""

    similarity: float
    source: str
    """Origin of the threshold, in words."""
    fmr: float | None
    """Maximum FMR of one comparison; None if it was not measured."""
    comparison_count: int
    """Number of templates or people that each face is compared with."""
    predicted_fpir: float | None
    """Predicted maximum FPIR of one unknown face; None if `fmr` is None."""
    measured_by: MeasuredBy | None
    """Who measured the threshold and the rates; None if the card gave none."""
    min_margin: float = 0.0
    """Margin below which a known face is ambiguous; 0 if there is no such rule."""
    margin_rule: MarginRule | None = None
    """What the card states of `min_margin`; None if the caller set it, or the card has none."""


@dataclass(frozen=True, slots=True)
class OpenSetChoice:
    """A caller's choice of the threshold of known faces; the default is FPIR 0.01.

    Raises UsageError if both fields are set, or `fpir` is not between 0 and 1.
    """

    choice: ThresholdChoice = field(default_factory=ThresholdChoice)
    """A threshold, or a false match rate of one comparison, whatever the gallery's size."""
    fpir: float | None = None
    """Share of unknown faces that are found, 0..1, as predicted from the gallery's size."""
    min_margin: float | None = None
    """Margin below which a known face is ambiguous, 0..2; 0 means that none is.

    None means the card's, or 0 if the card has none for this space.
    """

    def __post_init__(self) -> None:
        if self.min_margin is not None and not 0.0 <= self.min_margin <= 2.0:
            raise UsageError(
                f"--min-margin: a difference of cosine similarities lies in 0..2. "
                f"Received: {self.min_margin}"
            )
        if self.fpir is None:
            return
        if self.choice.is_given:
            raise UsageError(
                "--fpir and --threshold, --min-similarity or --fmr each set the threshold: pass "
                "one of them."
            )
        if not 0.0 < self.fpir < 1.0:
            raise UsageError(
                f"--fpir: a rate lies between 0 and 1, both excluded. Received: {self.fpir}"
            )

    def of(
        self, calibration: Calibration, space: TemplateSpace, *, comparisons: int
    ) -> OpenSetThreshold:
        """Returns the threshold of known faces for this number of comparisons per face.

        Raises NoOperatingPointError if the card has no error rates for the choice.
        """
        threshold = self._threshold(calibration, space, comparisons)
        if self.min_margin is not None:
            return replace(threshold, min_margin=self.min_margin)
        rule = None if calibration.other_space(space) else calibration.margin
        return replace(threshold, min_margin=rule.least if rule else 0.0, margin_rule=rule)

    def _threshold(
        self, calibration: Calibration, space: TemplateSpace, comparisons: int
    ) -> OpenSetThreshold:
        if self.choice.is_given:
            threshold = self.choice.of(calibration, space)
            return _described(calibration, space, threshold, threshold.origin, comparisons)
        if self.fpir is not None:
            return fpir_threshold(calibration, space, fpir=self.fpir, comparisons=comparisons)
        return default_threshold(calibration, space, comparisons=comparisons)


def predicted_fpir(fmr: float, comparisons: int) -> float:
    """Returns 1 - (1 - fmr)^comparisons, computed so that small values keep their precision."""
    if fmr >= 1.0:
        return 1.0 if comparisons else 0.0
    return -math.expm1(comparisons * math.log1p(-fmr))


def fmr_for_fpir(fpir: float, comparisons: int) -> float:
    """Returns the FMR of one comparison that predicts this FPIR; 1.0 if nobody is enrolled."""
    return -math.expm1(math.log1p(-fpir) / comparisons) if comparisons else 1.0


def fpir_threshold(
    calibration: Calibration, space: TemplateSpace, *, fpir: float, comparisons: int
) -> OpenSetThreshold:
    """Returns the lowest measured threshold whose predicted FPIR is at most `fpir`, 0..1.

    Raises NoOperatingPointError if no measured FMR is low enough, or if the card has no FMR that
    was measured in this space.
    """
    finest = _finest_fmr(calibration, space)
    needed = fmr_for_fpir(fpir, comparisons)
    if needed < finest:
        raise NoOperatingPointError(
            f"FPIR {fpir:g} with {comparisons} templates needs FMR {needed:.2g} a comparison; the "
            f"card of {space.model} goes down to {finest:.2g}, with which FPIR "
            f"{predicted_fpir(finest, comparisons):.2g} is predicted. Pass a larger --fpir, or "
            "--threshold."
        )
    point = point_at_fmr(calibration, needed)
    source = f"model card, FPIR {fpir:g} among {comparisons} in the gallery"
    threshold = Threshold(point.threshold_similarity, point)
    return _described(calibration, space, threshold, source, comparisons)


def default_threshold(
    calibration: Calibration, space: TemplateSpace, *, comparisons: int
) -> OpenSetThreshold:
    """Returns the threshold at FPIR 1 % if it was measured, else the strictest measured threshold.

    The result's `source` and `predicted_fpir` state which of the two it is.  Raises
    NoOperatingPointError if the card has no error rates in this space.
    """
    try:
        return fpir_threshold(calibration, space, fpir=DEFAULT_FPIR, comparisons=comparisons)
    except NoOperatingPointError:
        _finest_fmr(calibration, space)
        similarity, _ = calibration.measured[-1]
        source = "model card, the strictest that it has"
        return _described(calibration, space, Threshold(similarity, None), source, comparisons)


def _finest_fmr(calibration: Calibration, space: TemplateSpace) -> float:
    require_measured_in(calibration, space)
    finest = finest_fmr(calibration)
    if finest is None:
        raise NoOperatingPointError(
            f"The card of {space.model} says nothing of its error rates. Pass --threshold or "
            "--min-similarity, or measure them on photos of your own with facekit calibrate "
            "--write."
        )
    return finest


def _described(
    calibration: Calibration,
    space: TemplateSpace,
    threshold: Threshold,
    source: str,
    comparisons: int,
) -> OpenSetThreshold:
    """Returns the threshold with its error rates.

    The rates are None if the calibration was measured in another space.
    """
    is_measured = not calibration.other_space(space)
    fmr = calibration.fmr_at_most(threshold.similarity) if is_measured else None
    fpir = None if fmr is None else predicted_fpir(fmr, comparisons)
    by = threshold.measured_by or (None if fmr is None else calibration.measured_by)
    return OpenSetThreshold(
        threshold.similarity, marked(source, by), fmr, comparisons, fpir, measured_by=by
    )
