"""From a picture's name to its faces: decode, detect, select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from facekit.enums import FacePolicy
from facekit.face.detector import Detector, stated
from facekit.face.mtcnn.cascade import Mtcnn
from facekit.face.mtcnn.options import DetectorOptions
from facekit.face.select import select_faces
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import InstalledModel, find
from facekit.photo.decode import DEFAULT_LIMITS, ImageLimits, Picture, PictureSource, load_picture
from facekit.pipeline.stopwatch import Stopwatch
from facekit.runtime.litert import LiteRtNet
from facekit.types import DetectorIdentity, Face


@dataclass(frozen=True, slots=True)
class LocateOptions:
    """How faces are looked for in a picture."""

    face_policy: FacePolicy = FacePolicy.LARGEST
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    limits: ImageLimits = DEFAULT_LIMITS
    threads: int = 1
    """threads a net of the cascade may use; they are small, more than one rarely helps"""
    nets: tuple[Path, ...] | None = None
    """files of the cascade's nets, in its order; None: those in the store"""


@dataclass(frozen=True, slots=True, eq=False)
class LocatedPicture:
    """A picture, all its faces by falling score, and those that the policy selects."""

    picture: Picture
    faces: tuple[Face, ...]
    selected: tuple[Face, ...]


class Locator:
    """The detector, loaded at first use and kept.  Not thread-safe."""

    def __init__(
        self, *, options: LocateOptions | None = None, stopwatch: Stopwatch | None = None
    ) -> None:
        self.options = options or LocateOptions()
        self.stopwatch = stopwatch or Stopwatch()

    @cached_property
    def nets(self) -> tuple[InstalledModel, ...]:
        """The detector's net files in the cascade's order, checked and not loaded.

        Raises ModelMissingError or ModelMismatchError where the store has no sound nets.
        """
        stored = [f"{DETECTOR}:{name}" for name in DETECTOR_NETS]
        return tuple(find(net) for net in self.options.nets or stored)

    @property
    def identity(self) -> DetectorIdentity:
        """How the detector states itself.  Raises as `nets`."""
        return stated(DETECTOR, [net.card.source.sha256 for net in self.nets])

    @cached_property
    def detector(self) -> Detector:
        """Raises as `nets`."""
        with self.stopwatch.stage("load"):
            pnet, rnet, onet = (
                LiteRtNet(net.path, threads=self.options.threads) for net in self.nets
            )
            return Mtcnn(pnet, rnet, onet)

    def read(self, sources: Sequence[PictureSource]) -> list[Picture]:
        """Raises ImageError, which names the picture."""
        with self.stopwatch.stage("decode"):
            return [load_picture(source, limits=self.options.limits) for source in sources]

    def locate(self, sources: Sequence[PictureSource]) -> list[LocatedPicture]:
        """Raises ImageError, NoFaceError or AmbiguousFaceError, which name the picture."""
        pictures = self.read(sources)
        detector = self.detector
        with self.stopwatch.stage("detect"):
            found = detector.detect(
                [picture.pixels for picture in pictures], options=self.options.detector
            )
        return [
            LocatedPicture(picture, faces, self._selected(picture, faces))
            for picture, faces in zip(pictures, found, strict=True)
        ]

    def _selected(self, picture: Picture, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        return select_faces(
            faces,
            self.options.face_policy,
            image_shape=picture.pixels.shape[:2],
            name=picture.name,
        )
