"""From a photo to the crop that an evaluation embeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from facekit.enums import CropRule
from facekit.errors import ImageError
from facekit.face.align import whole_picture
from facekit.model.store import InstalledModel
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.types import CropSpec, InputSpec, UInt8Array


@dataclass(frozen=True, slots=True)
class EmbedSettings:
    """All that decides what vector a photo gets, besides the model."""

    locate: LocateOptions = field(default_factory=LocateOptions)
    crop: CropSpec | None = None
    """None: the rule in the model's card"""
    mirrored: bool = False
    """also embed the mirror image of each crop, as a second view; here the card does not decide"""
    cut_px: int = 0
    """pixels cut off each side of the photo, whose rest is the crop: no detector looks"""
    input: InputSpec | None = None
    """None: colour order and scaling of the model's card"""

    def crop_of(self, model: InstalledModel) -> CropSpec:
        """The rule in force; NONE where the photo's centre is the crop."""
        spec = self.crop or model.card.crop
        assert spec is not None  # an embedding card always has one
        return CropSpec(CropRule.NONE, 0.0, spec.resize_filter) if self.cut_px else spec


class PhotoCropper:
    """Crops photos, and holds the pipeline that does so.  Not thread-safe."""

    def __init__(self, model: InstalledModel, settings: EmbedSettings) -> None:
        if settings.input is not None:
            model = InstalledModel(replace(model.card, input=settings.input), model.path)
        self._cut_px = settings.cut_px
        self.pipeline = Pipeline(
            model,
            options=PipelineOptions(settings.locate, crop=settings.crop_of(model), threads=1),
        )

    def crop(self, photo: Path) -> UInt8Array:
        """(1, height, width, 3) RGB uint8, of the model's input size.

        Raises ImageError, NoFaceError or AmbiguousFaceError, which name the photo.
        """
        (located,) = self.pipeline.locate([photo])
        with self.pipeline.stopwatch.stage("align"):
            if not self._cut_px:
                return self.pipeline.crop(located)[:1]
            cut = self._cut_px
            height_px, width_px = located.picture.pixels.shape[:2]
            if min(height_px, width_px) <= 2 * cut:
                raise ImageError(
                    f"{photo}: more than {2 * cut} pixels a side needed to cut {cut} off each. "
                    f"Received: {width_px} x {height_px}"
                )
            size = self.pipeline.model.card.input
            return whole_picture(
                located.picture.pixels[cut:-cut, cut:-cut],
                self.pipeline.crop_spec,
                height_px=size.height_px,
                width_px=size.width_px,
            )
