"""facekit: are these two photos of the same person?

    >>> import facekit
    >>> facekit.verify("a.jpg", "b.jpg").decision.same
    True

The functions are in facekit/api.py.  Importing facekit loads neither numpy nor OpenCV: each name
is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facekit.enums import ColourOrder, CropRule, FacePolicy, Metric, ResizeFilter
from facekit.errors import (
    AcceleratorError,
    AmbiguousFaceError,
    EmbeddingFileError,
    FaceError,
    FacekitError,
    FetchError,
    ImageError,
    ImageTooLargeError,
    InputError,
    MissingExtraError,
    ModelBuildError,
    ModelError,
    ModelMismatchError,
    ModelMissingError,
    NoFaceError,
    NoOperatingPointError,
    PairListError,
    StorageError,
    UsageError,
)
from facekit.version import __version__

if TYPE_CHECKING:
    from facekit.api import detect, embed, load, verify
    from facekit.face.mtcnn.options import DetectorOptions
    from facekit.model.card import Card
    from facekit.photo.decode import ImageLimits, Picture
    from facekit.pipeline.pipeline import Pipeline
    from facekit.pipeline.records import EmbeddedPicture, LocatedPicture, Verification
    from facekit.template.calibration import OperatingPoint
    from facekit.template.match import Decision
    from facekit.template.threshold import Threshold, card_threshold, given_threshold
    from facekit.types import CropSpec, Face

__all__ = [
    "AcceleratorError",
    "AmbiguousFaceError",
    "Card",
    "ColourOrder",
    "CropRule",
    "CropSpec",
    "Decision",
    "DetectorOptions",
    "EmbeddedPicture",
    "EmbeddingFileError",
    "Face",
    "FaceError",
    "FacePolicy",
    "FacekitError",
    "FetchError",
    "ImageError",
    "ImageLimits",
    "ImageTooLargeError",
    "InputError",
    "LocatedPicture",
    "Metric",
    "MissingExtraError",
    "ModelBuildError",
    "ModelError",
    "ModelMismatchError",
    "ModelMissingError",
    "NoFaceError",
    "NoOperatingPointError",
    "OperatingPoint",
    "PairListError",
    "Picture",
    "Pipeline",
    "ResizeFilter",
    "StorageError",
    "Threshold",
    "UsageError",
    "Verification",
    "__version__",
    "card_threshold",
    "detect",
    "embed",
    "given_threshold",
    "load",
    "verify",
]

_HOMES = {
    "Card": "facekit.model.card",
    "CropSpec": "facekit.model.card",
    "Decision": "facekit.template.match",
    "DetectorOptions": "facekit.face.mtcnn.options",
    "EmbeddedPicture": "facekit.pipeline.records",
    "Face": "facekit.types",
    "ImageLimits": "facekit.photo.decode",
    "LocatedPicture": "facekit.pipeline.records",
    "OperatingPoint": "facekit.template.calibration",
    "Picture": "facekit.photo.decode",
    "Pipeline": "facekit.pipeline.pipeline",
    "Threshold": "facekit.template.threshold",
    "Verification": "facekit.pipeline.records",
    "card_threshold": "facekit.template.threshold",
    "detect": "facekit.api",
    "embed": "facekit.api",
    "given_threshold": "facekit.template.threshold",
    "load": "facekit.api",
    "verify": "facekit.api",
}
"""Where each name that is loaded at first use stands"""

if not TYPE_CHECKING:  # a type checker that saw it would accept any name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'facekit' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return __all__
