"""How known systems feed their networks, and how an imported one is fed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facekit.conversion.import_options import ImportOptions
from facekit.enums import Architecture, ColorOrder, CropRule, Flip, Preprocessing, ResizeFilter
from facekit.errors import UsageError
from facekit.types import CropSpec, InputSpec


@dataclass(frozen=True, slots=True)
class Feeding:
    """How a system feeds its networks."""

    color_order: ColorOrder
    mean: float
    """in pixel values 0..255, as `std`"""
    std: float
    crop: CropSpec
    size: tuple[int, int] | None
    """(height, width) of its usual crops; None where it has no usual one"""
    flip: Flip = Flip.NONE


def _crop(rule: CropRule, margin_px: float = 0.0) -> CropSpec:
    return CropSpec(rule, margin_px, ResizeFilter.BILINEAR)


FEEDINGS: dict[Preprocessing, Feeding] = {
    # facenet.py's and facenet-pytorch's fixed_image_standardization; align_dataset_mtcnn.py with
    # the README's --image_size 160 --margin 32.
    Preprocessing.FACENET: Feeding(
        ColorOrder.RGB, 127.5, 128.0, _crop(CropRule.MARGIN, 32.0), (160, 160)
    ),
    # deepface/modules/preprocessing.py: normalization "base" leaves the detector's crop, BGR from
    # OpenCV and divided by 255, as it is.  Its networks have sizes of their own.
    Preprocessing.DEEPFACE: Feeding(ColorOrder.BGR, 0.0, 255.0, _crop(CropRule.MARGIN), None),
    # insightface/model_zoo/arcface_onnx.py: input_mean 127.5, input_std 127.5, swapRB on BGR crops
    # of utils/face_align.py's five points at 112 x 112.
    Preprocessing.INSIGHTFACE: Feeding(
        ColorOrder.RGB, 127.5, 127.5, _crop(CropRule.SIMILARITY), (112, 112)
    ),
    # sphereface/test/code/evaluation.m: (img - 127.5)/128, channels 3 2 1, crops of 112 x 96 by
    # five points, the features of a crop and of its mirror image one after the other.
    Preprocessing.SPHEREFACE: Feeding(
        ColorOrder.BGR, 127.5, 128.0, _crop(CropRule.SIMILARITY), (112, 96), Flip.CONCAT
    ),
    Preprocessing.RAW: Feeding(ColorOrder.RGB, 0.0, 1.0, _crop(CropRule.SIMILARITY), None),
}


_UNIT_PIXELS = 2.0
"""A network that divides by more takes pixels of 0..255, not of 0..1 or -1..1."""
_BY_ARCHITECTURE = {
    Architecture.INCEPTION_RESNET_V1: Preprocessing.FACENET,
    Architecture.SPHEREFACE20: Preprocessing.SPHEREFACE,
}


@dataclass(frozen=True, slots=True)
class Fed:
    """How pixels reach a network."""

    source: InputSpec
    """of the file as it came"""
    card: InputSpec
    """of the file that is made, which leaves the source's own scaling of pixels to the card"""
    crop: CropSpec
    flip: Flip

    def __str__(self) -> str:
        """In words, for people."""
        spec = self.card
        mirror = "" if self.flip is Flip.NONE else f", mirror image {self.flip.value}"
        return (
            f"{spec.height_px} x {spec.width_px} {spec.color_order.value.upper()}, "
            f"{formula(spec.mean, spec.std)}, crop {self.crop}{mirror}"
        )


def how_fed(
    size: tuple[int, int], own_scaling: tuple[float, float] | None, options: ImportOptions
) -> Fed:
    """What `options` ask for, else what is usual.

    `size`: (height, width) of the network's picture; without a word in `options` it tells the
    system, for the known ones differ in it.  `own_scaling`: mean and std of the file's own
    beginning (x - mean) / std, which stands for the system's where it is one of pixels 0..255.
    Raises UsageError where nothing tells.
    """
    feeding = _feeding(size, own_scaling, options)
    mean, std = options.scaling or (feeding.mean, feeding.std)
    order = options.color_order or feeding.color_order
    source = card = options.input or InputSpec(*size, order, mean, std)
    if own_scaling is not None:  # ((x - mean) / std - inner mean) / inner std
        inner_mean, inner_std = own_scaling
        mean, std = source.mean + source.std * inner_mean, source.std * inner_std
        card = replace(source, mean=mean, std=std)
    return Fed(source, card, options.crop or feeding.crop, options.flip or feeding.flip)


def usual_size(options: ImportOptions) -> tuple[int, int] | None:
    """(height, width) that is asked for, or that the system which is named has."""
    if options.input is not None:
        return options.input.height_px, options.input.width_px
    named = options.preprocessing
    return options.size or (None if named is None else FEEDINGS[named].size)


def _feeding(
    size: tuple[int, int], own_scaling: tuple[float, float] | None, options: ImportOptions
) -> Feeding:
    named = options.preprocessing
    if named is None and options.architecture is not None:
        named = _BY_ARCHITECTURE[options.architecture]
    usual = named or next((one for one, how in FEEDINGS.items() if how.size == size), None)
    raw = FEEDINGS[Preprocessing.RAW]
    if usual is None:
        said = options.scaling is not None and options.color_order is not None
        if own_scaling is None and options.input is None and not said:
            raise UsageError(
                f"Pictures of {size[0]} x {size[1]} are no known system's. Say how the network is "
                "fed: --preprocessing, or --mean, --std and --color-order."
            )
        return raw
    if own_scaling is not None and own_scaling[1] > _UNIT_PIXELS:
        # It stands in the file for the system's, so that the file takes pixels as they are;
        # insightface takes it so: arcface_onnx.py, "mxnet arcface model".
        return replace(FEEDINGS[usual], mean=raw.mean, std=raw.std)
    return FEEDINGS[usual]


def formula(mean: float, std: float) -> str:
    return f"(x - {mean:g}) / {std:g}"
