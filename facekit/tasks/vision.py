"""The detector and the embedding model, applied to frames."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.enums import CropRule
from facekit.errors import UsageError
from facekit.face.align import crop_faces
from facekit.pipeline.locate import Locator
from facekit.pipeline.pipeline import Pipeline
from facekit.types import Face, Float32Array, UInt8Array


class PipelineVision:
    """What a pipeline does with photos, for frames; see `facekit.video.records.Vision`."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Raises UsageError for a crop rule without faces."""
        if pipeline.crop_spec.rule is CropRule.NONE:
            raise UsageError("Following faces needs detection and a crop rule other than none.")
        self._pipeline = pipeline
        self._options = pipeline.options.locate
        self._locator = Locator(options=self._options)

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]:
        """All faces of a (H, W, 3) RGB frame, highest score first."""
        (faces,) = self._locator.detector.detect([pixels], options=self._options.detector)
        return faces

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        """(N, D) unit vectors."""
        size = self._pipeline.model.card.input
        crops = crop_faces(
            pixels,
            faces,
            self._pipeline.crop_spec,
            height_px=size.height_px,
            width_px=size.width_px,
        )
        return self._pipeline.embedder.embed(crops)
