"""Which threshold a caller chooses."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Metric
from facekit.errors import UsageError
from facekit.pipeline.pipeline import Pipeline
from facekit.template.threshold import Threshold, chosen_threshold


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

    def of(self, pipeline: Pipeline) -> Threshold:
        """The threshold for this pipeline's model and crop rule.

        Raises UsageError for a distance outside the metric's range, NoOperatingPointError where
        the card has no threshold for what is asked.
        """
        return chosen_threshold(
            pipeline.model.card.calibration,
            pipeline.threshold_space,
            distance=self.distance,
            metric=self.metric,
            fmr=self.fmr,
        )
