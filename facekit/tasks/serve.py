"""Opens what a service answers with: networks that are loaded once, and a gallery."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from facekit.enums import CropRule, FacePolicy, Metric
from facekit.gallery.gallery import Gallery
from facekit.gallery.identify import OpenSetChoice
from facekit.pipeline.pipeline import Pipeline
from facekit.reporter import SILENT, Reporter
from facekit.tasks.gallery import GalleryLocation, open_gallery
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.threshold import Threshold, ThresholdChoice


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """What a service answers with, as a caller requests it."""

    pipeline: PipelineRequest = field(default_factory=PipelineRequest)
    threshold: ThresholdChoice = field(default_factory=ThresholdChoice)
    """The threshold of requests that name none."""
    location: GalleryLocation = field(default_factory=GalleryLocation)


class Service:
    """A pipeline whose networks are loaded, a threshold, and a gallery that is opened at first use.

    One thread at a time may use a service.
    """

    def __init__(self, request: ServiceRequest, *, reporter: Reporter = SILENT) -> None:
        """Loads the networks; a missing model is built first.

        Raises the errors of `open_pipeline`, `ThresholdChoice.of` and `Pipeline.load`.
        """
        self.request = request
        self.pipeline = open_pipeline(request.pipeline, reporter=reporter)
        self._threshold = self.pipeline.threshold(request.threshold)
        self.pipeline.load()
        self._gallery: Gallery | None = None

    @property
    def location(self) -> GalleryLocation:
        """Where the gallery is."""
        return self.request.location

    @property
    def detector(self) -> str | None:
        """Name of the detector; None if the photos are face crops."""
        if self.pipeline.crop_spec.rule is CropRule.NONE:
            return None
        return self.pipeline.options.locate.detector_name

    def close(self) -> None:
        if self._gallery is not None:
            self._gallery.close()

    def selecting(self, face: FacePolicy | None) -> Pipeline:
        """Returns the pipeline; None means the face that the service was started with."""
        return self.pipeline if face is None else self.pipeline.selecting(face)

    def threshold(self, choice: ThresholdChoice | None) -> Threshold:
        """Returns the threshold of `choice`; None means the one the service was started with.

        Raises NoOperatingPointError if the model's card has no such threshold.
        """
        return self._threshold if choice is None else self.pipeline.threshold(choice)

    def metric(self, metric: Metric | None) -> Metric:
        """Returns the metric in which distances are shown."""
        return metric or self.request.threshold.metric

    def known_threshold(
        self, choice: ThresholdChoice | None, metric: Metric | None, fpir: float | None
    ) -> OpenSetChoice:
        """Returns the choice of the threshold of known faces.

        `choice`, `fpir`: what the caller asks for; None means what the service was started with.
        Raises UsageError if both are set, or `fpir` is not between 0 and 1.
        """
        shown = ThresholdChoice(metric=self.metric(metric))
        if choice is not None or fpir is not None:
            return OpenSetChoice(choice or shown, fpir)
        own = self.request.threshold
        if metric in (None, own.metric):
            return OpenSetChoice(own)
        if own.threshold is None:
            return OpenSetChoice(replace(own, metric=metric))
        return OpenSetChoice(replace(shown, min_similarity=self._threshold.similarity))

    def gallery(self, *, create: bool = False) -> Gallery:
        """Returns the gallery; `create` makes a missing one.

        Raises StorageError if it is missing or cannot be opened, and UsageError if it is encrypted
        and no secret is given.
        """
        if self._gallery is None:
            self._gallery = open_gallery(self.location, create=create)
        return self._gallery
