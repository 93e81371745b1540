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
from facekit.errors import ModelMismatchError
from facekit.face.detector import Detector, DetectorOptions, identity_of, own_options
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.select import select_faces
from facekit.face.yunet import Yunet, YunetOptions
from facekit.model.card import DETECTOR, Task
from facekit.model.registry import DETECTOR_NETS
from facekit.model.store import CARD_SUFFIX, InstalledModel, find_all
from facekit.model.variants import MODEL_SUFFIXES
from facekit.photo.decode import DEFAULT_LIMITS, ImageLimits, Picture, PictureSource, load_picture
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.types import DetectorIdentity, Face, UInt8Array

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
    """Adds up what each named stage took, for each thread by itself, and tells the reporter.

    `milliseconds` keeps the order of first use.
    """

    def __init__(self, reporter: Reporter = SILENT) -> None:
        self._reporter = reporter
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1e3
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + spent
            self._reporter.timing(name, spent)


@dataclass(frozen=True, slots=True)
class LocateOptions:
    """How faces are looked for in a picture."""

    face_policy: FacePolicy = FacePolicy.LARGEST
    detector: str | None = None
    """name of a detection model, NAME:VARIANT, or a net's file with its card; None: the one in the
    embedding model's card, MTCNN where there is none"""
    detector_options: DetectorOptions = field(default_factory=DetectorOptions)
    limits: ImageLimits = DEFAULT_LIMITS
    threads: int = 1
    """threads a net of the detector may use; they are small, more than one rarely helps"""
    nets: tuple[Path, ...] | None = None
    """files of the detector's nets, in its order; None: those in the store"""
    accelerator: AcceleratorRequest = field(default_factory=AcceleratorRequest)
    """what a quantized detector of a single net runs on; nets in float32 with open sides, as
    MTCNN's three are, no NPU takes: they stay on the CPU"""

    @property
    def is_cascade(self) -> bool:
        """Whether MTCNN's three nets look for faces, or a single net in YuNet's form."""
        if self.nets is not None:
            return len(self.nets) == len(DETECTOR_NETS)
        return (self.detector or DETECTOR) == DETECTOR

    @property
    def own_options(self) -> MtcnnOptions | YunetOptions:
        """The settings in use.  Raises UsageError for one that the detector does not have."""
        name = self.detector or DETECTOR
        if self.is_cascade:
            return own_options(self.detector_options, MtcnnOptions, detector=name)
        return own_options(self.detector_options, YunetOptions, detector=name)

    @property
    def detector_name(self) -> str:
        """Of the detector, whatever its file or variant: what calibrations call it by.

        Raises as `found_nets` where a file is named.
        """
        name = self.detector or DETECTOR
        if self.nets is not None or name.endswith((*MODEL_SUFFIXES, CARD_SUFFIX)):
            return self.found_nets[0].card.name
        return name.partition(":")[0]

    @property
    def found_nets(self) -> tuple[InstalledModel, ...]:
        """The detector's net files in its order, checked and not loaded.

        Raises ModelMissingError, or ModelMismatchError where they are not sound, or no detector.
        """
        wanted = self.nets or (self.detector or DETECTOR,)
        nets = tuple(net for one in wanted for net in find_all(one, task=Task.DETECTION))
        for net in nets:
            if net.card.task is not Task.DETECTION:
                raise ModelMismatchError(
                    f"A detector is needed. {net.card.name} ({net.card.variant}) is for "
                    f"{net.card.task.value}."
                )
        return nets


class Locator:
    """The detector, loaded at first use and kept.  Many threads may use one."""

    def __init__(
        self, *, options: LocateOptions | None = None, stopwatch: Stopwatch | None = None
    ) -> None:
        """Raises UsageError for settings that the detector does not have."""
        self.options = options or LocateOptions()
        self.stopwatch = stopwatch or Stopwatch()
        self._own_options = self.options.own_options
        self._nets = Once(lambda: self.options.found_nets)
        self._detector = Once(self._load)

    @property
    def detector(self) -> Detector:
        """Raises as `nets`."""
        return self._detector.get()

    @property
    def nets(self) -> tuple[InstalledModel, ...]:
        """See `LocateOptions.found_nets`."""
        return self._nets.get()

    @property
    def identity(self) -> DetectorIdentity:
        """How the detector states itself.  Raises as `nets`."""
        return identity_of(self.nets[0].card.name, [net.card.source.sha256 for net in self.nets])

    def read(self, sources: Sequence[PictureSource]) -> list[Picture]:
        """Raises ImageError, which names the picture, and UsageError for what is no source."""
        with self.stopwatch.stage("decode"):
            return [load_picture(source, limits=self.options.limits) for source in sources]

    def locate(self, sources: Sequence[PictureSource]) -> list[LocatedPicture]:
        """Raises ImageError, NoFaceError or AmbiguousFaceError, which name the picture."""
        pictures = self.read(sources)
        found = self.detect([picture.pixels for picture in pictures])
        return [
            LocatedPicture(picture, faces, self._selected(picture, faces))
            for picture, faces in zip(pictures, found, strict=True)
        ]

    def detect(self, images: Sequence[UInt8Array]) -> list[tuple[Face, ...]]:
        """All faces of each RGB uint8 (H, W, 3) picture, highest score first."""
        detector = self.detector
        with self.stopwatch.stage("detect"):
            return detector.detect(images, options=self._own_options)

    def _load(self) -> Detector:
        with self.stopwatch.stage("load"):
            threads = self.options.threads
            if self.options.is_cascade:
                from facekit.face.mtcnn.cascade import Mtcnn  # spared where one net is enough

                request = AcceleratorRequest()
                pnet, rnet, onet = (
                    open_net(net.path, request=request, threads=threads).net for net in self.nets
                )
                return Mtcnn(pnet, rnet, onet)
            (only,) = self.nets
            request = self.options.accelerator
            if only.card.quantization.scheme == "none":
                request = AcceleratorRequest()
            opened = open_net(only.path, request=request, threads=threads)
            return Yunet(opened.net, spec=only.card.input, name=only.path.name)

    def _selected(self, picture: Picture, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        return select_faces(
            faces,
            self.options.face_policy,
            image_shape=picture.pixels.shape[:2],
            name=picture.name,
        )
