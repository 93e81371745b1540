"""Locates faces: decodes photos, detects and selects faces, and times each stage."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from facekit.enums import FacePolicy, Rotate
from facekit.errors import ModelMismatchError
from facekit.face.detector import Detector, DetectorOptions, identity_of, own_options
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.select import select_faces
from facekit.face.turn import face_as_given, turned
from facekit.face.yunet import Yunet, YunetOptions
from facekit.model.card import DETECTOR, Task
from facekit.model.registry import DETECTOR_NETS
from facekit.model.store import CARD_SUFFIX, InstalledModel, find_all
from facekit.model.variants import MODEL_SUFFIXES
from facekit.photo.decode import Picture, load_picture
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits
from facekit.photo.reading import PictureSource
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, OpenedNet, open_net
from facekit.types import DetectorIdentity, Face, UInt8Array

Made = TypeVar("Made")


class Once(Generic[Made]):
    """A value that is made at its first use and then stored; threads may share the object.

    If `make()` raises, the caller of `get` gets the error, and the next call tries again.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: list[Made] = []
        self._error: Exception | None = None
        self._making = threading.Lock()
        self._is_begun = False
        self.is_taken = False
        """Whether the value has been requested."""

    def get(self) -> Made:
        """Returns the value.  Raises the errors of `make`."""
        made = self._get()
        self.is_taken = True
        return made

    def begin(self) -> None:
        """Starts making the value in another thread.

        This pays off for work that runs outside Python's interpreter lock, such as LiteRT's
        planning.  If making the value fails in the thread, the next `get` raises that error instead
        of trying again.  concurrent.futures would do the same, but its import costs 10 ms.
        """
        if not (self._is_begun or self._made):
            self._is_begun = True
            threading.Thread(target=self._try).start()

    def _get(self) -> Made:
        with self._making:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if not self._made:
                self._made.append(self._make())
        return self._made[0]

    def _try(self) -> None:
        with self._making:
            try:
                if not self._made:
                    self._made.append(self._make())
            except Exception as error:
                self._error = error


class Stopwatch(threading.local):
    """Adds up the time of each named stage, for each thread separately, and reports it.

    `milliseconds` is in the order of first use.
    """

    def __init__(self, reporter: Reporter = SILENT) -> None:
        self.reporter = reporter
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1e3
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + spent
            self.reporter.timing(name, spent)


@dataclass(frozen=True, slots=True)
class LocateOptions:
    """The settings for finding faces in a photo."""

    face_policy: FacePolicy = FacePolicy.LARGEST
    detector: str | None = None
    """Name of a detection model, NAME:VARIANT, or the file of a net with its card.  None means
    MTCNN here; a caller with an embedding model sets the detector that its card names."""
    detector_options: DetectorOptions = field(default_factory=DetectorOptions)
    rotate: Rotate = Rotate.OFF
    """Whether `Locator.locate` also looks for faces on the photo turned by quarters."""
    limits: ImageLimits = DEFAULT_LIMITS
    threads: int = 1
    """Threads that a net of the detector may use; more than one rarely helps such small nets."""
    nets: tuple[Path, ...] | None = None
    """Files of the detector's nets, in the order of its stages; None means those in the store."""
    accelerator: AcceleratorRequest = field(default_factory=AcceleratorRequest)
    """Accelerator of a quantized detector with one net.  Float32 nets with a dynamic input size,
    such as MTCNN's three, always run on the CPU, because no NPU accepts them."""
    on_cpu: bool = False
    """Whether a quantized detector stays on the CPU too, beside an accelerator."""

    @property
    def is_cascade(self) -> bool:
        """True for MTCNN's three nets, False for a single net in YuNet's form."""
        if self.nets is not None:
            return len(self.nets) == len(DETECTOR_NETS)
        return (self.detector or DETECTOR) == DETECTOR

    @property
    def own_options(self) -> MtcnnOptions | YunetOptions:
        """The detector's settings.  Raises UsageError if one does not belong to the detector."""
        name = self.detector or DETECTOR
        if self.is_cascade:
            return own_options(self.detector_options, MtcnnOptions, detector=name)
        return own_options(self.detector_options, YunetOptions, detector=name)

    @property
    def detector_name(self) -> str:
        """Name of the detector, without file or variant, as calibrations state it.

        If a file is named, raises the errors of `found_nets`: ModelMissingError or
        ModelMismatchError.
        """
        name = self.detector or DETECTOR
        if self.nets is not None or name.endswith((*MODEL_SUFFIXES, CARD_SUFFIX)):
            return self.found_nets[0].card.name
        return name.partition(":")[0]

    @property
    def found_nets(self) -> tuple[InstalledModel, ...]:
        """The detector's net files in the order of its stages, checked but not loaded.

        Raises ModelMissingError if a net is missing, and ModelMismatchError if a net is damaged
        or the model is not a detector.
        """
        names_or_paths = self.nets or (self.detector or DETECTOR,)
        nets = tuple(net for item in names_or_paths for net in find_all(item, task=Task.DETECTION))
        for net in nets:
            if net.card.task is not Task.DETECTION:
                raise ModelMismatchError(
                    f"A detector is needed. {net.card.name} ({net.card.variant}) is for "
                    f"{net.card.task.value}."
                )
        return nets


class Locator:
    """Decodes photos, detects their faces and selects among them.  Threads may share a locator.

    The detector is loaded at first use.
    """

    def __init__(
        self, *, options: LocateOptions | None = None, stopwatch: Stopwatch | None = None
    ) -> None:
        """Raises UsageError for settings that the detector does not have."""
        self.options = options or LocateOptions()
        self.stopwatch = stopwatch or Stopwatch()
        self._own_options = self.options.own_options
        self._nets = Once(lambda: self.options.found_nets)
        self._opened = Once(self._open)
        self._detector = Once(self._load)

    def selecting(self, policy: FacePolicy) -> Locator:
        """Returns a locator that selects faces by `policy` and shares the detector with this
        one."""
        other = copy.copy(self)
        other.options = replace(self.options, face_policy=policy)
        return other

    @property
    def detector(self) -> Detector:
        """The loaded detector.  Raises the errors of `LocateOptions.found_nets` and `open_net`."""
        return self._detector.get()

    @property
    def nets(self) -> tuple[InstalledModel, ...]:
        """The net files.  Raises the errors of `LocateOptions.found_nets`."""
        return self._nets.get()

    @property
    def opened(self) -> tuple[OpenedNet, ...]:
        """The loaded nets with the devices that they run on, in the order of the stages.

        Raises the errors of `LocateOptions.found_nets` and `open_net`.
        """
        return self._opened.get()

    @property
    def identity(self) -> DetectorIdentity:
        """The detector's identity.  Raises the errors of `LocateOptions.found_nets`."""
        return identity_of(self.nets[0].card.name, [net.card.source.sha256 for net in self.nets])

    def read(self, sources: Sequence[PictureSource]) -> list[Picture]:
        """Decodes photos.

        Raises ImageError, which names the photo, and UsageError for an invalid source.
        """
        with self.stopwatch.stage("decode"):
            return [load_picture(source, limits=self.options.limits) for source in sources]

    def locate(self, sources: Sequence[PictureSource]) -> list[LocatedPicture]:
        """Decodes photos, finds their faces and selects among them.

        Raises ImageError, NoFaceError or AmbiguousFaceError, which name the photo, UsageError for
        an invalid source, and the errors of `detector`.
        """
        pictures = self.read(sources)
        found = self.detect([picture.pixels for picture in pictures])
        if self.options.rotate is Rotate.AUTO:
            found = [
                self._best_turn(picture.pixels, faces)
                for picture, faces in zip(pictures, found, strict=True)
            ]
        return [
            LocatedPicture(picture, faces, self._selected(picture, faces))
            for picture, faces in zip(pictures, found, strict=True)
        ]

    def detect(self, images: Sequence[UInt8Array]) -> list[tuple[Face, ...]]:
        """Returns all faces of each RGB uint8 (H, W, 3) photo, highest score first.

        Raises the errors of `detector`.
        """
        detector = self.detector
        with self.stopwatch.stage("detect"):
            return detector.detect(images, options=self._own_options)

    def _best_turn(self, pixels: UInt8Array, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """Returns the faces of the turn of the photo with the highest score, in pixels of `pixels`.

        `faces` are those of the photo as it is.  They stay if they have a score that upright faces
        have, or if no turn has: what is found upside down often scores as an upright face does in
        bad light.
        """
        best, needed = faces, self._own_options.upright_score
        if _top_score(faces) >= needed:
            return faces
        for degrees in (180, 90, 270):
            turn = turned(pixels, degrees)
            (found,) = self.detect([turn])
            least = needed if faces else 0.0
            if _top_score(found) > max(_top_score(best), least):
                best = tuple(face_as_given(face, turn.shape, degrees) for face in found)
        return best

    def _load(self) -> Detector:
        with self.stopwatch.stage("load"):
            nets = [opened.net for opened in self.opened]
            if self.options.is_cascade:
                from facekit.face.mtcnn.cascade import Mtcnn  # not needed with a single net

                return Mtcnn(*nets)
            (only,) = self.nets
            return Yunet(nets[0], spec=only.card.input, name=only.path.name)

    def _open(self) -> tuple[OpenedNet, ...]:
        options = self.options
        is_float = any(net.card.quantization.scheme == "none" for net in self.nets)
        return tuple(
            open_net(
                net.path,
                request=options.accelerator,
                on_cpu=options.on_cpu or options.is_cascade or is_float,
                threads=options.threads,
                reporter=self.stopwatch.reporter,
            )
            for net in self.nets
        )

    def _selected(self, picture: Picture, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        return select_faces(
            faces,
            self.options.face_policy,
            image_shape=picture.pixels.shape[:2],
            name=picture.name,
        )


def _top_score(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)
