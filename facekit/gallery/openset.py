"""Where "unknown" begins, by the gallery's size.

A photo of somebody who is not enrolled is compared with N templates.  If each comparison matches
falsely with probability FMR, independently, somebody is found with probability

    FPIR(N) = 1 - (1 - FMR)^N

It is a prediction from the card's 1:1 error rates, not a measurement: templates of one person
are not independent, and photos may be other than those that the card was measured on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError, UsageError
from facekit.model.card import Card
from facekit.template.threshold import Threshold, card_threshold, given_threshold
from facekit.types import CropSpec

DEFAULT_FPIR = 0.01


@dataclass(frozen=True, slots=True)
class OpenSetThreshold:
    """Least similarity of a known face, and what it is expected to do."""

    similarity: float
    source: str
    """where it comes from, in words"""
    fmr: float | None
    """of one comparison, at most; None where nothing was measured so low"""
    comparisons: int
    predicted_fpir: float | None
    """of one unknown face, at most"""


def predicted_fpir(fmr: float, comparisons: int) -> float:
    """1 - (1 - fmr)^comparisons, without losing small numbers."""
    if fmr >= 1.0:
        return 1.0 if comparisons else 0.0
    return -math.expm1(comparisons * math.log1p(-fmr))


def fmr_for_fpir(fpir: float, comparisons: int) -> float:
    """The inverse; 1.0 where nobody is enrolled."""
    return -math.expm1(math.log1p(-fpir) / comparisons) if comparisons else 1.0


def distance_threshold(card: Card, distance: float, comparisons: int) -> OpenSetThreshold:
    """The user's own number, a cosine distance.  Raises UsageError outside 0..2."""
    return _described(card, given_threshold(distance, Metric.COSINE), "given", comparisons)


def fmr_threshold(
    card: Card, fmr: float, comparisons: int, *, crop: CropSpec | None
) -> OpenSetThreshold:
    """The card's operating point for one comparison.  Raises NoOperatingPointError."""
    cut = card_threshold(card, crop=crop, fmr=fmr)
    return _described(card, cut, f"model card, FMR {fmr:g} a comparison", comparisons)


def fpir_threshold(
    card: Card, fpir: float, comparisons: int, *, crop: CropSpec | None
) -> OpenSetThreshold:
    """The loosest measured threshold whose predicted FPIR is at most `fpir`, 0..1.

    Raises NoOperatingPointError where no FMR so low was measured.
    """
    curve = _curve(card, crop)
    needed = fmr_for_fpir(fpir, comparisons)
    for similarity, fmr in curve:
        if fmr <= needed:
            source = f"model card, FPIR {fpir:g} with {comparisons} templates"
            return _described(card, Threshold(similarity, None), source, comparisons)
    lowest = curve[-1][1]
    raise NoOperatingPointError(
        f"FPIR {fpir:g} with {comparisons} templates needs FMR {needed:.2g} a comparison; the card "
        f"of {card.name} goes down to {lowest:.2g}, with which FPIR "
        f"{predicted_fpir(lowest, comparisons):.2g} is predicted. Pass a larger --fpir, or "
        "--threshold."
    )


def default_threshold(card: Card, comparisons: int, *, crop: CropSpec | None) -> OpenSetThreshold:
    """At FPIR 1 %, or at the strictest measured threshold where that cannot be reached.

    Its `source` and `predicted_fpir` say which.  Raises NoOperatingPointError.
    """
    try:
        return fpir_threshold(card, DEFAULT_FPIR, comparisons, crop=crop)
    except NoOperatingPointError:
        similarity, _ = _curve(card, crop)[-1]
        source = "model card, its strictest"
        return _described(card, Threshold(similarity, None), source, comparisons)


def _curve(card: Card, crop: CropSpec | None) -> tuple[tuple[float, float], ...]:
    if crop is not None and crop != card.crop:
        raise UsageError(
            f"The error rates of {card.name} ({card.variant}) were measured with its own crop "
            "rule and do not hold for another. Pass --threshold, or leave the crop options out."
        )
    if not card.calibration.fmr_curve:
        raise NoOperatingPointError(
            f"The card of {card.name} ({card.variant}) says nothing of its error rates. Pass "
            "--threshold, or measure them on photos of your own with facekit calibrate."
        )
    return card.calibration.fmr_curve


def _described(card: Card, cut: Threshold, source: str, comparisons: int) -> OpenSetThreshold:
    fmr = card.calibration.fmr_at_most(cut.similarity)
    fpir = None if fmr is None else predicted_fpir(fmr, comparisons)
    return OpenSetThreshold(cut.similarity, source, fmr, comparisons, fpir)
