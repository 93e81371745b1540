"""ONNX's Resize and Upsample: of the many ways in which they can be told to work, those that are
one of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves
from facekit.graph.graph import OPEN, Coordinates, Operation
from facekit.graph.read.onnx_layers import picture
from facekit.graph.read.onnx_settings import Arguments
from facekit.graph.read.onnx_shapes import channels_last
from facekit.graph.read.onnx_values import Value

_SCALES, _SIZES = 2, 3  # places among a Resize's inputs
_EDGES_OPSET = 11  # before it, the first pixels lay on each other
_TRIED_SIDES = range(1, 9)  # of an open side: the others repeat what these do
_MOST_PIXELS = 1 << 14  # of a side
_LEAST_PART = 1e-4  # of a pixel
_LINEAR = {
    "half_pixel": Coordinates.HALF_PIXEL,
    "pytorch_half_pixel": Coordinates.HALF_PIXEL,  # which differs in sides of 1 alone
    "half_pixel_symmetric": Coordinates.HALF_PIXEL,  # which differs in broken sides alone
    "align_corners": Coordinates.ALIGN_CORNERS,
    "asymmetric": Coordinates.ASYMMETRIC,
}
_Places: TypeAlias = NDArray[np.float64]


def _resize(given: Arguments) -> Value:
    settings = given.settings
    if given.opset < _EDGES_OPSET:
        return _upsample(given)
    settings.pass_over("cubic_coeff_a", "extrapolation_value")
    settings.require("antialias", 0)
    settings.require("exclude_outside", 0)
    settings.require_text("keep_aspect_ratio_policy", "stretch")
    scales = given.constant(_SCALES).ravel().tolist() if given.has(_SCALES) else []
    sizes = given.integers(_SIZES, "sizes") or []
    axes = settings.listed("axes")
    return _resized(
        given,
        scales=_rows_and_columns(given, scales, axes, same=[1.0, 1.0]) if scales else None,
        sizes=_rows_and_columns(given, sizes, axes, same=list(given.data(0).shape[:2])),
        way=settings.text("coordinate_transformation_mode", "half_pixel"),
        rounding=settings.text("nearest_mode", "round_prefer_floor"),
    )


def _upsample(given: Arguments) -> Value:
    listed = given.settings.numbers("scales")
    scales = given.constant(1).ravel().tolist() if listed is None else listed
    scales = _rows_and_columns(given, scales, None, same=[1.0, 1.0])
    return _resized(given, scales=scales, sizes=[], way="asymmetric", rounding="floor")


def _rows_and_columns(
    given: Arguments, numbers: Sequence[float], axes: Sequence[int] | None, *, same: list[float]
) -> list[float]:
    """Of numbers for the sides `axes`, or for all four: those of batch and channels must be as
    they are."""
    if not numbers:
        return []
    places = [given.axis(axis, 4) for axis in (range(4) if axes is None else axes)]
    by_side = dict(zip(places, numbers, strict=True))
    if not {2, 3} <= by_side.keys() or any(by_side.get(at, same[at]) != same[at] for at in (0, 1)):
        raise ModelBuildError(f"{given.name} must resize rows and columns. Received: {numbers}.")
    return [by_side[2], by_side[3]]


def _resized(
    given: Arguments,
    *,
    scales: Sequence[float] | None,
    sizes: Sequence[float],
    way: str,
    rounding: str,
) -> Value:
    x, name = picture(given), given.name
    if not scales and (not sizes or OPEN in x.shape[1:3]):
        raise ModelBuildError(f"{name}: scales needed, or sizes for a picture of known sides.")
    sides = x.shape[1:3]
    if not scales:
        scales = [size / side for size, side in zip(sizes, sides, strict=True)]
    tried = [
        (side, scale)
        for known_side, scale in zip(sides, scales, strict=True)
        for side in (_TRIED_SIDES if known_side == OPEN else [known_side])
    ]
    for side, scale in tried:
        if (
            not 0 < side * scale < _MOST_PIXELS
            or abs(side * scale - round(side * scale)) > _LEAST_PART * scale
        ):
            raise ModelBuildError(
                f"{name}: whole numbers of rows and columns, below {_MOST_PIXELS}, needed. "
                f"Received: {side} times {scale}."
            )
    mode = given.settings.text("mode", "nearest")
    if mode == "linear":
        operation, coordinates = Operation.RESIZE_BILINEAR, _LINEAR.get(way)
        if way == "pytorch_half_pixel" and any(round(side * by) == 1 for side, by in tried):
            coordinates = None
    elif mode == "nearest":
        operation = Operation.RESIZE_NEAREST
        coordinates = next((one for one in _OURS if _alike(one, tried, way, rounding)), None)
    else:
        coordinates = None
    if coordinates is None:
        raise ModelBuildError(
            f"{name} resizes in a way that is not known: {mode}, {way}, {rounding}."
        )
    node = moves.resize(
        operation,
        x,
        name,
        coordinates=coordinates,
        factors=(round(scales[0]), round(scales[1])) if OPEN in sides else None,
        size=(round(sides[0] * scales[0]), round(sides[1] * scales[1])),
    )
    return Value(node, channels_last(4))


def _alike(
    coordinates: Coordinates, tried: Sequence[tuple[int, float]], way: str, rounding: str
) -> bool:
    """Whether both take the same rows and columns."""
    theirs, rounded = _THEIRS.get(way), _ROUNDINGS.get(rounding)
    if theirs is None or rounded is None:
        return False
    for side, scale in tried:
        count = round(side * scale)
        places = np.arange(count, dtype=np.float64)
        wanted = rounded(theirs(places, side, count)).clip(0, side - 1)
        if not np.array_equal(_OURS[coordinates](places, side, count).clip(0, side - 1), wanted):
            return False
    return True


def _corners(places: _Places, side: int, count: int) -> _Places:
    return places * ((side - 1) / max(count - 1, 1))


_OURS: dict[Coordinates, Callable[[_Places, int, int], _Places]] = {
    Coordinates.ASYMMETRIC: lambda at, side, count: np.floor(at * side / count),
    Coordinates.HALF_PIXEL: lambda at, side, count: np.floor((at + 0.5) * side / count),
    Coordinates.ALIGN_CORNERS: lambda at, side, count: np.floor(_corners(at, side, count) + 0.5),
}
_THEIRS: dict[str, Callable[[_Places, int, int], _Places]] = {
    "asymmetric": lambda at, side, count: at * side / count,
    "half_pixel": lambda at, side, count: (at + 0.5) * side / count - 0.5,
    "half_pixel_symmetric": lambda at, side, count: (at + 0.5) * side / count - 0.5,
    "pytorch_half_pixel": lambda at, side, count: (
        (at + 0.5) * side / count - 0.5 if count > 1 else at * 0
    ),
    "align_corners": _corners,
}
_ROUNDINGS: dict[str, Callable[[_Places], _Places]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
RESIZES = {"Resize": _resize, "Upsample": _upsample}
