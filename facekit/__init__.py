"""facekit: are these two photos of the same person?

    >>> import facekit
    >>> bool(facekit.verify("a.jpg", "b.jpg"))
    True

What the shell offers, `facekit` offers here: the verbs are in facekit/api/.  Importing facekit
loads neither numpy nor OpenCV: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facekit.enums import (
    ClusterMethod,
    ColorOrder,
    CropRule,
    Device,
    ExportFormat,
    FacePolicy,
    Flip,
    Metric,
    PersonRule,
    Precision,
    Profile,
    QualityGate,
    ResizeFilter,
    Runtime,
    VectorType,
)
from facekit.errors import (
    AcceleratorError,
    AmbiguousFaceError,
    AmbiguousPersonError,
    EmbeddingFileError,
    FaceError,
    FacekitError,
    FetchError,
    ImageError,
    ImageTooLargeError,
    InputError,
    LowQualityError,
    MissingExtraError,
    ModelBuildError,
    ModelError,
    ModelMismatchError,
    ModelMissingError,
    NoFaceError,
    NoOperatingPointError,
    PackageError,
    PairListError,
    PresentationAttackError,
    ServiceError,
    StorageError,
    UsageError,
)
from facekit.version import __version__

if TYPE_CHECKING:
    from facekit.api import models
    from facekit.api.files import (
        align_dataset,
        benchmark,
        bundle,
        conversion_plan,
        convert,
        doctor,
        export,
        fetch_lfw,
        list_configs,
        quantize,
        selftest,
        show_config,
        train,
    )
    from facekit.api.files import compile_model as compile
    from facekit.api.files import inspect_model as inspect
    from facekit.api.measure import calibrate, evaluate, evaluate_liveness
    from facekit.api.people import Gallery
    from facekit.api.photos import (
        cluster,
        compare,
        detect,
        embed,
        embed_to_file,
        load,
        quality,
        track,
        verify,
        verify_pairs,
    )
    from facekit.api.watch import watch
    from facekit.face.detector import DetectorOptions
    from facekit.face.quality import FaceQuality
    from facekit.gallery.identify import OpenSetChoice, OpenSetThreshold
    from facekit.model.card import Card
    from facekit.photo.decode import Picture
    from facekit.photo.limits import ImageLimits
    from facekit.pipeline.photos import PhotoFailure
    from facekit.pipeline.pipeline import Pipeline
    from facekit.pipeline.records import EmbeddedPicture, LocatedPicture, Verification
    from facekit.reporter import Reporter
    from facekit.runtime.delegates import AcceleratorRequest
    from facekit.tasks.convert import CalibrationPhotos
    from facekit.tasks.open_pipeline import CropChange, PipelineRequest
    from facekit.template.calibration import Calibration, OperatingPoint
    from facekit.template.match import Decision
    from facekit.template.space import TemplateSpace
    from facekit.template.threshold import Threshold, ThresholdChoice
    from facekit.types import CropSpec, Face

__all__ = [
    "AcceleratorError",
    "AcceleratorRequest",
    "AmbiguousFaceError",
    "AmbiguousPersonError",
    "Calibration",
    "CalibrationPhotos",
    "Card",
    "ClusterMethod",
    "ColorOrder",
    "CropChange",
    "CropRule",
    "CropSpec",
    "Decision",
    "DetectorOptions",
    "Device",
    "EmbeddedPicture",
    "EmbeddingFileError",
    "ExportFormat",
    "Face",
    "FaceError",
    "FacePolicy",
    "FaceQuality",
    "FacekitError",
    "FetchError",
    "Flip",
    "Gallery",
    "ImageError",
    "ImageLimits",
    "ImageTooLargeError",
    "InputError",
    "LocatedPicture",
    "LowQualityError",
    "Metric",
    "MissingExtraError",
    "ModelBuildError",
    "ModelError",
    "ModelMismatchError",
    "ModelMissingError",
    "NoFaceError",
    "NoOperatingPointError",
    "OpenSetChoice",
    "OpenSetThreshold",
    "OperatingPoint",
    "PackageError",
    "PairListError",
    "PersonRule",
    "PhotoFailure",
    "Picture",
    "Pipeline",
    "PipelineRequest",
    "Precision",
    "PresentationAttackError",
    "Profile",
    "QualityGate",
    "Reporter",
    "ResizeFilter",
    "Runtime",
    "ServiceError",
    "StorageError",
    "TemplateSpace",
    "Threshold",
    "ThresholdChoice",
    "UsageError",
    "VectorType",
    "Verification",
    "__version__",
    "align_dataset",
    "benchmark",
    "bundle",
    "calibrate",
    "cluster",
    "compare",
    "compile",
    "conversion_plan",
    "convert",
    "detect",
    "doctor",
    "embed",
    "embed_to_file",
    "evaluate",
    "evaluate_liveness",
    "export",
    "fetch_lfw",
    "inspect",
    "list_configs",
    "load",
    "models",
    "quality",
    "quantize",
    "selftest",
    "show_config",
    "track",
    "train",
    "verify",
    "verify_pairs",
    "watch",
]

_HOMES = {
    "AcceleratorRequest": "facekit.runtime.delegates.AcceleratorRequest",
    "Calibration": "facekit.template.calibration.Calibration",
    "Card": "facekit.model.card.Card",
    "CropChange": "facekit.tasks.open_pipeline.CropChange",
    "CropSpec": "facekit.types.CropSpec",
    "Decision": "facekit.template.match.Decision",
    "DetectorOptions": "facekit.face.detector.DetectorOptions",
    "EmbeddedPicture": "facekit.pipeline.records.EmbeddedPicture",
    "Face": "facekit.types.Face",
    "FaceQuality": "facekit.face.quality.FaceQuality",
    "Gallery": "facekit.api.people.Gallery",
    "ImageLimits": "facekit.photo.limits.ImageLimits",
    "LocatedPicture": "facekit.pipeline.records.LocatedPicture",
    "OpenSetChoice": "facekit.gallery.identify.OpenSetChoice",
    "OpenSetThreshold": "facekit.gallery.identify.OpenSetThreshold",
    "OperatingPoint": "facekit.template.calibration.OperatingPoint",
    "PhotoFailure": "facekit.pipeline.photos.PhotoFailure",
    "Picture": "facekit.photo.decode.Picture",
    "Pipeline": "facekit.pipeline.pipeline.Pipeline",
    "PipelineRequest": "facekit.tasks.open_pipeline.PipelineRequest",
    "Reporter": "facekit.reporter.Reporter",
    "TemplateSpace": "facekit.template.space.TemplateSpace",
    "Threshold": "facekit.template.threshold.Threshold",
    "ThresholdChoice": "facekit.template.threshold.ThresholdChoice",
    "Verification": "facekit.pipeline.records.Verification",
    "align_dataset": "facekit.api.files.align_dataset",
    "benchmark": "facekit.api.files.benchmark",
    "bundle": "facekit.api.files.bundle",
    "calibrate": "facekit.api.measure.calibrate",
    "cluster": "facekit.api.photos.cluster",
    "compare": "facekit.api.photos.compare",
    "compile": "facekit.api.files.compile_model",
    "CalibrationPhotos": "facekit.tasks.convert.CalibrationPhotos",
    "conversion_plan": "facekit.api.files.conversion_plan",
    "convert": "facekit.api.files.convert",
    "detect": "facekit.api.photos.detect",
    "doctor": "facekit.api.files.doctor",
    "embed": "facekit.api.photos.embed",
    "embed_to_file": "facekit.api.photos.embed_to_file",
    "evaluate": "facekit.api.measure.evaluate",
    "evaluate_liveness": "facekit.api.measure.evaluate_liveness",
    "export": "facekit.api.files.export",
    "fetch_lfw": "facekit.api.files.fetch_lfw",
    "inspect": "facekit.api.files.inspect_model",
    "list_configs": "facekit.api.files.list_configs",
    "load": "facekit.api.photos.load",
    "quality": "facekit.api.photos.quality",
    "quantize": "facekit.api.files.quantize",
    "selftest": "facekit.api.files.selftest",
    "show_config": "facekit.api.files.show_config",
    "track": "facekit.api.photos.track",
    "train": "facekit.api.files.train",
    "verify": "facekit.api.photos.verify",
    "verify_pairs": "facekit.api.photos.verify_pairs",
    "watch": "facekit.api.watch.watch",
    "models": "facekit.api.models",
}
"""Where each name that is loaded at first use stands"""

if not TYPE_CHECKING:  # a type checker that saw it would accept any name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'facekit' has no attribute {name!r}")
        module, _, attribute = _HOMES[name].rpartition(".")
        home = importlib.import_module(module)
        value = getattr(home, attribute, None) or importlib.import_module(_HOMES[name])
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
