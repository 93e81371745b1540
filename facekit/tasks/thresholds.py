"""Where a decision falls: what a caller says of it, else what the model's card does."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.errors import UsageError
from facekit.gallery import identify as openset
from facekit.gallery.identify import OpenSetThreshold
from facekit.pipeline.pipeline import Pipeline
from facekit.template.threshold import Threshold, chosen_threshold


@dataclass(frozen=True, slots=True)
class OpenSetChoice:
    """What a caller says of the threshold of known faces: one of the three, or nothing.

    Raises UsageError for more than one.
    """

    distance: float | None = None
    """largest cosine distance of a known face, 0..2"""
    fmr: float | None = None
    """false match rate of one comparison, 0..1, whatever the gallery's size"""
    fpir: float | None = None
    """share of unknown faces that are found, 0..1, as the gallery's size predicts it"""

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.distance, self.fmr, self.fpir)) > 1:
            raise UsageError(
                "--threshold, --fmr and --fpir all say where to cut; pass one of them."
            )


def open_set_threshold(
    pipeline: Pipeline, choice: OpenSetChoice, *, comparisons: int
) -> OpenSetThreshold:
    """Where "unknown" begins with so many comparisons a face.

    Raises UsageError, or NoOperatingPointError where the card has no error rates for it.
    """
    calibration, space = pipeline.model.card.calibration, pipeline.threshold_space
    if choice.distance is not None:
        return openset.distance_threshold(
            calibration, space, distance=choice.distance, comparisons=comparisons
        )
    if choice.fmr is not None:
        return openset.fmr_threshold(calibration, space, fmr=choice.fmr, comparisons=comparisons)
    if choice.fpir is not None:
        return openset.fpir_threshold(calibration, space, fpir=choice.fpir, comparisons=comparisons)
    return openset.default_threshold(calibration, space, comparisons=comparisons)


def pair_threshold(
    pipeline: Pipeline, *, distance: float | None = None, fmr: float | None = None
) -> Threshold:
    """Of two faces: the caller's cosine distance, else the card's at `fmr` (None: 1e-3).

    Raises UsageError, or NoOperatingPointError where the card has none for it.
    """
    return chosen_threshold(
        pipeline.model.card.calibration, pipeline.threshold_space, distance=distance, fmr=fmr
    )
