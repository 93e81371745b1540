"""From a picture's name to its faces: decode, detect, select; and the time that each takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from facekit.enums import FacePolicy
from facekit.face.detector import Detector, identity_of
from facekit.face.mtcnn.cascade import Mtcnn
from facekit.face.mtcnn.options import DetectorOptions
from facekit.face.select import select_faces
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import InstalledModel, find
from facekit.photo.decode import DEFAULT_LIMITS, ImageLimits, Picture, PictureSource, load_picture
from facekit.pipeline.records import LocatedPicture
from facekit.runtime.litert import LiteRtNet
from facekit.types import DetectorIdentity, Face

Made = TypeVar("Made")


class Once(Generic[Made]):
    """What `make()` makes, made when it is first asked for and kept; threads share it.

    An error is raised to who asks, and the next one to ask has it tried again.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: list[Made] = []
        self._making = threading.Lock()
        self._is_begun = False
        self.is_taken = False
        """whether anybody has got it yet"""

    def get(self) -> Made:
        """Raises what making it raises."""
        made = self._get()
        self.is_taken = True
        return made

    def begin(self) -> None:
        """Makes it in a thread, for work that leaves Python, as LiteRT's planning does.

        An error is put off until somebody asks.  Not concurrent.futures, whose import alone costs
        10 ms.
        """
        if not (self._is_begun or self._made):
            self._is_begun = True
            threading.Thread(target=self._try).start()

    def _get(self) -> Made:
        with self._making:
            if not self._made:
                self._made.append(self._make())
        return self._made[0]

    def _try(self) -> None:
        with suppress(Exception):
            self._get()


class Stopwatch(threading.local):
    """Adds up what each named stage took, for each thread by itself.

    `milliseconds` keeps the order of first use.
    """

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1e3
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + spent


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


class Locator:
    """The detector, loaded at first use and kept.  Many threads may use one."""

    def __init__(
        self, *, options: LocateOptions | None = None, stopwatch: Stopwatch | None = None
    ) -> None:
        self.options = options or LocateOptions()
        self.stopwatch = stopwatch or Stopwatch()
        self._nets = Once(self._find)
        self._detector = Once(self._load)

    @property
    def detector(self) -> Detector:
        """Raises as `nets`."""
        return self._detector.get()

    @property
    def nets(self) -> tuple[InstalledModel, ...]:
        """The detector's net files in the cascade's order, checked and not loaded.

        Raises ModelMissingError or ModelMismatchError where the store has no sound nets.
        """
        return self._nets.get()

    @property
    def identity(self) -> DetectorIdentity:
        """How the detector states itself.  Raises as `nets`."""
        return identity_of(DETECTOR, [net.card.source.sha256 for net in self.nets])

    def read(self, sources: Sequence[PictureSource]) -> list[Picture]:
        """Raises ImageError, which names the picture, and UsageError for what is no source."""
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

    def _load(self) -> Detector:
        with self.stopwatch.stage("load"):
            pnet, rnet, onet = (
                LiteRtNet(net.path, threads=self.options.threads) for net in self.nets
            )
            return Mtcnn(pnet, rnet, onet)

    def _find(self) -> tuple[InstalledModel, ...]:
        stored = [f"{DETECTOR}:{name}" for name in DETECTOR_NETS]
        return tuple(find(net) for net in self.options.nets or stored)

    def _selected(self, picture: Picture, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        return select_faces(
            faces,
            self.options.face_policy,
            image_shape=picture.pixels.shape[:2],
            name=picture.name,
        )
