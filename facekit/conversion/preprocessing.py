"""Chooses the preprocessing of an imported network, e.g. that of a known toolkit (a "system")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facekit.conversion.import_options import ImportOptions
from facekit.enums import Architecture, ColorOrder, CropRule, Flip, Preprocessing, ResizeFilter
from facekit.errors import UsageError
from facekit.types import CropSpec, InputSpec


@dataclass(frozen=True, slots=True)
class SystemPreprocessing:
    """The preprocessing of one system's networks."""

    color_order: ColorOrder
    mean: float
    """The mean in pixel values 0..255, like `std`."""
    std: float
    crop: CropSpec
    size: tuple[int, int] | None
    """(height, width) in pixels of the system's crops; None if they have no common size."""
    flip: Flip = Flip.NONE


def _crop(rule: CropRule, margin_px: float = 0.0) -> CropSpec:
    return CropSpec(rule, margin_px, ResizeFilter.BILINEAR)


SYSTEM_PREPROCESSING: dict[Preprocessing, SystemPreprocessing] = {
    # facenet.py's and facenet-pytorch's fixed_image_standardization; align_dataset_mtcnn.py with
    # the README's --image_size 160 --margin 32.
    Preprocessing.FACENET: SystemPreprocessing(
        ColorOrder.RGB, 127.5, 128.0, _crop(CropRule.MARGIN, 32.0), (160, 160)
    ),
    # deepface/modules/preprocessing.py: normalization "base" does not change the detector's crop,
    # which is BGR from OpenCV and divided by 255.  Its networks have different sizes.
    Preprocessing.DEEPFACE: SystemPreprocessing(
        ColorOrder.BGR, 0.0, 255.0, _crop(CropRule.MARGIN), None
    ),
    # insightface/model_zoo/arcface_onnx.py: input_mean 127.5, input_std 127.5, swapRB on BGR crops
    # of utils/face_align.py's five points at 112 x 112.
    Preprocessing.INSIGHTFACE: SystemPreprocessing(
        ColorOrder.RGB, 127.5, 127.5, _crop(CropRule.SIMILARITY), (112, 112)
    ),
    # sphereface/test/code/evaluation.m: (img - 127.5)/128, channels 3 2 1, crops of 112 x 96 by
    # five points, the features of a crop and of its mirror image one after the other.
    Preprocessing.SPHEREFACE: SystemPreprocessing(
        ColorOrder.BGR, 127.5, 128.0, _crop(CropRule.SIMILARITY), (112, 96), Flip.CONCAT
    ),
    Preprocessing.RAW: SystemPreprocessing(
        ColorOrder.RGB, 0.0, 1.0, _crop(CropRule.SIMILARITY), None
    ),
}


_MAX_UNIT_STD = 2.0
"""A network that divides by more than this expects pixels of 0..255, not of 0..1 or -1..1."""
_BY_ARCHITECTURE = {
    Architecture.INCEPTION_RESNET_V1: Preprocessing.FACENET,
    Architecture.SPHEREFACE20: Preprocessing.SPHEREFACE,
}


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """The preprocessing of an imported network."""

    source: InputSpec
    """The input of the source file."""
    card: InputSpec
    """The input of the converted file, whose initial scaling of pixels is moved to the card."""
    crop: CropSpec
    flip: Flip

    def __str__(self) -> str:
        """Returns the preprocessing as a phrase for messages."""
        spec = self.card
        mirror = "" if self.flip is Flip.NONE else f", mirror image {self.flip.value}"
        return (
            f"{spec.height_px} x {spec.width_px} {spec.color_order.value.upper()}, "
            f"{scaling_formula(spec.mean, spec.std)}, crop {self.crop}{mirror}"
        )


def resolve_input(
    size: tuple[int, int], file_scaling: tuple[float, float] | None, options: ImportOptions
) -> NetworkInput:
    """Returns the preprocessing that `options` request, or else the default.

    `size` is the (height, width) of the network's input; if the options name no system, the size
    identifies the system, since the sizes of the known systems differ.  `file_scaling` is the
    (mean, std) of an initial (x - mean) / std in the file.  This scaling replaces the system's
    scaling if the file expects pixels of 0..255.

    Raises UsageError if neither the options nor the size determine the preprocessing.
    """
    system = _select_system(size, file_scaling, options)
    mean, std = options.scaling or (system.mean, system.std)
    order = options.color_order or system.color_order
    source = card = options.input or InputSpec(*size, order, mean, std)
    if file_scaling is not None:  # ((x - mean) / std - inner mean) / inner std
        inner_mean, inner_std = file_scaling
        mean, std = source.mean + source.std * inner_mean, source.std * inner_std
        card = replace(source, mean=mean, std=std)
    return NetworkInput(source, card, options.crop or system.crop, options.flip or system.flip)


def requested_size(options: ImportOptions) -> tuple[int, int] | None:
    """Returns the (height, width) that the options request, or else that of the named system.

    Returns None if the options name neither a size nor a system with a size.
    """
    if options.input is not None:
        return options.input.height_px, options.input.width_px
    preprocessing = options.preprocessing
    return options.size or (
        None if preprocessing is None else SYSTEM_PREPROCESSING[preprocessing].size
    )


def _select_system(
    size: tuple[int, int], file_scaling: tuple[float, float] | None, options: ImportOptions
) -> SystemPreprocessing:
    named = options.preprocessing
    if named is None and options.architecture is not None:
        named = _BY_ARCHITECTURE[options.architecture]
    preprocessing = named or next(
        (candidate for candidate, system in SYSTEM_PREPROCESSING.items() if system.size == size),
        None,
    )
    raw = SYSTEM_PREPROCESSING[Preprocessing.RAW]
    if preprocessing is None:
        is_complete = options.scaling is not None and options.color_order is not None
        if file_scaling is None and options.input is None and not is_complete:
            raise UsageError(
                f"Pictures of {size[0]} x {size[1]} are no known system's. Say how the network is "
                "fed: --preprocessing, or --mean, --std and --color-order."
            )
        return raw
    if file_scaling is not None and file_scaling[1] > _MAX_UNIT_STD:
        # The file's scaling replaces the system's, so that the file expects unscaled pixels.
        # insightface has the same rule in arcface_onnx.py, "mxnet arcface model".
        return replace(SYSTEM_PREPROCESSING[preprocessing], mean=raw.mean, std=raw.std)
    return SYSTEM_PREPROCESSING[preprocessing]


def scaling_formula(mean: float, std: float) -> str:
    return f"(x - {mean:g}) / {std:g}"
