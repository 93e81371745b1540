"""Opens the Pipeline that a caller requests: finds or builds the model, and reads the bundle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.enums import CropRule, Device, FacePolicy, ResizeFilter, Rotate, Runtime
from facekit.errors import ModelError, UsageError
from facekit.face.detector import DetectorOptions
from facekit.model import registry
from facekit.model.card import Task
from facekit.model.defaults import model_or_default
from facekit.model.registry import DETECTOR
from facekit.model.store import InstalledModel, find
from facekit.model.variants import for_runtime
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest
from facekit.tasks.build import ensure_installed
from facekit.types import CropSpec

if TYPE_CHECKING:
    from facekit.board.manifest import Bundle


@dataclass(frozen=True, slots=True)
class CropChange:
    """Changes to the crop rule of a model's card; None means no change."""

    rule: CropRule | None = None
    margin_px: float | None = None
    """Pixels of the finished crop outside the box, both sides together."""
    resize_filter: ResizeFilter | None = None

    def of(self, own: CropSpec) -> CropSpec | None:
        """Returns the changed rule; None if nothing is changed.

        With another rule than the card's, a margin that is None becomes 0.
        """
        if self == CropChange():
            return None
        rule = self.rule or own.rule
        margin_px = self.margin_px
        if margin_px is None:
            margin_px = own.margin_px if rule is own.rule else 0.0
        return CropSpec(rule, margin_px, self.resize_filter or own.resize_filter)


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """The model, detector and settings of a Pipeline, as a caller requests them."""

    model: str | None = None
    """Registry name, NAME:VARIANT, or a file with its card beside it; None means the default
    model, or with `bundle` the bundle's."""
    bundle: Path | None = None
    """Folder of an unpacked bundle; only its models are used."""
    face: FacePolicy = FacePolicy.LARGEST
    detect: bool = True
    """False if the photos are face crops already."""
    crop: CropChange = field(default_factory=CropChange)
    detector: str | None = None
    """Name of a detection model, NAME:VARIANT, or a net's file with its card; None means the one
    in the model's card, or with `bundle` the bundle's."""
    detector_options: DetectorOptions = field(default_factory=DetectorOptions)
    rotate: Rotate = Rotate.OFF
    limits: ImageLimits = DEFAULT_LIMITS
    threads: int | None = None
    """Threads that a network may use; None means one per usable core for the embedding net, and
    one for the detector's nets."""
    runtime: Runtime | None = None
    """None means the runtime that the model's file is for."""
    accelerator: AcceleratorRequest = field(default_factory=AcceleratorRequest)
    build_missing: bool = True
    """If False, a model that is not installed is an error, and nothing is fetched."""

    @property
    def locate_options(self) -> LocateOptions:
        """The settings for finding faces, with the nets of the bundle."""
        nets, accelerator = None, self.accelerator
        if self.bundle is not None:
            if self.detector is not None:
                raise UsageError("--bundle brings its own detector: --detector goes without it.")
            from facekit.board.manifest import detector_files, read_bundle

            bundle = read_bundle(self.bundle)
            device, accelerator = _bundle_device(bundle, accelerator)
            nets = detector_files(self.bundle, bundle, device=device)
        return LocateOptions(
            face_policy=self.face,
            detector=self.detector,
            detector_options=self.detector_options,
            rotate=self.rotate,
            limits=self.limits,
            threads=self.threads or 1,
            nets=nets,
            accelerator=accelerator,
        )


def open_pipeline(request: PipelineRequest, *, reporter: Reporter = SILENT) -> Pipeline:
    """Opens the pipeline that `request` describes.

    A missing model is built first.  A requested accelerator is opened here, so that an error is
    raised before the first photo.  Raises the errors of `new_pipeline`, and AcceleratorError.
    """
    pipeline = new_pipeline(request, reporter=reporter)
    if pipeline.options.accelerator.requests_accelerator:
        reporter.note(str(pipeline.device_use))
    return pipeline


def new_pipeline(request: PipelineRequest, *, reporter: Reporter = SILENT) -> Pipeline:
    """Returns the pipeline that `request` describes; no network is loaded yet.

    A missing model is built first.  Raises UsageError, ModelMissingError or ModelMismatchError.
    """
    accelerator = request.accelerator
    if request.bundle is None:
        name = for_runtime(model_or_default(request.model), request.runtime)
        installed = ensure_installed(
            name, task=Task.EMBEDDING, build_missing=request.build_missing, reporter=reporter
        )
    else:
        installed, accelerator = _bundled(request.bundle, request)
    accelerator.require_delegate_for_options()
    own = installed.card.crop
    crop = None if own is None else request.crop.of(own)
    detects = request.detect and (crop is None or crop.rule is not CropRule.NONE)
    if detects and request.bundle is None:
        ensure_detector(
            request.detector or installed.card.detector,
            build_missing=request.build_missing,
            reporter=reporter,
        )
    return Pipeline(
        installed,
        options=PipelineOptions(
            locate=request.locate_options,
            detect=request.detect,
            crop=crop,
            threads=request.threads,
            accelerator=accelerator,
        ),
        reporter=reporter,
    )


def ensure_detector(
    name: str, *, build_missing: bool = True, reporter: Reporter = SILENT
) -> tuple[InstalledModel, ...]:
    """Returns the detector's nets; builds missing nets first.

    Raises ModelMissingError, ModelMismatchError for a model that is not a detector, and the errors
    of building.
    """
    ensure_installed(name, task=Task.DETECTION, build_missing=build_missing, reporter=reporter)
    return LocateOptions(detector=name).found_nets


def usual_detector(model: str | None) -> str:
    """Returns the name of the detector in the model's card; the model need not be installed.

    `model`: as in a request.  Returns MTCNN's name for an unknown model.
    """
    name = model_or_default(model)
    known = name.partition(":")[0]
    if known in registry.names():
        return registry.entry(known).card.detector
    try:
        return find(name).card.detector
    except ModelError:  # said where the model itself is needed
        return DETECTOR


def _bundled(folder: Path, request: PipelineRequest) -> tuple[InstalledModel, AcceleratorRequest]:
    """Returns the model of an unpacked bundle, and the requested device, else the bundle's."""
    from facekit.board.manifest import find_embedder, read_bundle

    accelerator = request.accelerator
    if request.runtime is Runtime.ONNX or accelerator.providers:
        raise UsageError("A bundle holds LiteRT's files: --runtime onnx cannot run them.")
    bundle = read_bundle(folder)
    name, _, variant = (request.model or "").partition(":")
    if name and name != bundle.model:
        raise UsageError(
            f"The bundle {folder} has the model {bundle.model}. Received: {request.model}"
        )
    device, accelerator = _bundle_device(bundle, accelerator)
    installed = find_embedder(folder, bundle, device=device, variant=variant or None)
    return installed, accelerator


def _bundle_device(
    bundle: Bundle, accelerator: AcceleratorRequest
) -> tuple[Device, AcceleratorRequest]:
    """Returns the requested device, else the bundle's, and the request for its accelerator.

    Raises AcceleratorError if the board is known not to run the bundle's files on the device.
    """
    from facekit.board.match import require_match

    device = accelerator.device or bundle.device
    require_match(bundle, device)
    if accelerator.delegate is None:
        accelerator = replace(accelerator, device=device)
    return device, accelerator
