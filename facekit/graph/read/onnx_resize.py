"""Readers for ONNX's Resize and Upsample.

Only the modes that equal one of `Coordinates` are supported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves
from facekit.graph.graph import DYNAMIC, Coordinates, Operation
from facekit.graph.read.onnx_arguments import OperatorArguments
from facekit.graph.read.onnx_layers import image_input
from facekit.graph.read.onnx_shapes import channels_last_axes
from facekit.graph.read.onnx_values import Value

_SCALES, _SIZES = 2, 3  # indices of a Resize's inputs
_FIRST_OPSET_WITH_MODES = 11  # Before this operator set, Resize used asymmetric coordinates.
# Tested sizes of a dynamic dimension.  Larger sizes repeat the pattern of these.
_TESTED_SIZES = range(1, 9)
_MAX_PIXELS = 1 << 14  # height or width
_SIZE_TOLERANCE = 1e-4  # in input pixels; the tolerance for a whole number of output pixels
_LINEAR = {
    "half_pixel": Coordinates.HALF_PIXEL,
    "pytorch_half_pixel": Coordinates.HALF_PIXEL,  # differs only for an output of one pixel
    "half_pixel_symmetric": Coordinates.HALF_PIXEL,  # differs only for a fractional output size
    "align_corners": Coordinates.ALIGN_CORNERS,
    "asymmetric": Coordinates.ASYMMETRIC,
}
_Positions: TypeAlias = NDArray[np.float64]


def _resize(op: OperatorArguments) -> Value:
    attributes = op.attributes
    if op.opset < _FIRST_OPSET_WITH_MODES:
        return _upsample(op)
    attributes.ignore("cubic_coeff_a", "extrapolation_value")
    attributes.require("antialias", 0)
    attributes.require("exclude_outside", 0)
    attributes.require_text("keep_aspect_ratio_policy", "stretch")
    scales = op.constant(_SCALES).ravel().tolist() if op.has(_SCALES) else []
    sizes = op.integers(_SIZES, "sizes") or []
    axes = attributes.int_list("axes")
    return _add_resize(
        op,
        scales=_rows_and_columns(op, scales, axes, same=[1.0, 1.0]) if scales else None,
        sizes=_rows_and_columns(op, sizes, axes, same=list(op.data(0).shape[:2])),
        coordinate_mode=attributes.text("coordinate_transformation_mode", "half_pixel"),
        rounding=attributes.text("nearest_mode", "round_prefer_floor"),
    )


def _upsample(op: OperatorArguments) -> Value:
    attribute = op.attributes.numbers("scales")
    scales = op.constant(1).ravel().tolist() if attribute is None else attribute
    scales = _rows_and_columns(op, scales, None, same=[1.0, 1.0])
    return _add_resize(op, scales=scales, sizes=[], coordinate_mode="asymmetric", rounding="floor")


def _rows_and_columns(
    op: OperatorArguments,
    values: Sequence[float],
    axes: Sequence[int] | None,
    *,
    same: list[float],
) -> list[float]:
    """Returns the values for rows and columns, from values for `axes`, or for all four axes.

    Raises ModelBuildError if the values for batch and channels differ from `same`, their unchanged
    values.
    """
    if not values:
        return []
    normalized_axes = [op.axis(axis, 4) for axis in (range(4) if axes is None else axes)]
    by_axis = dict(zip(normalized_axes, values, strict=True))
    if not {2, 3} <= by_axis.keys() or any(
        by_axis.get(axis, same[axis]) != same[axis] for axis in (0, 1)
    ):
        raise ModelBuildError(f"{op.name} must resize rows and columns. Received: {values}.")
    return [by_axis[2], by_axis[3]]


def _add_resize(
    op: OperatorArguments,
    *,
    scales: Sequence[float] | None,
    sizes: Sequence[float],
    coordinate_mode: str,
    rounding: str,
) -> Value:
    x, name = image_input(op), op.name
    if not scales and (not sizes or DYNAMIC in x.shape[1:3]):
        raise ModelBuildError(f"{name}: scales needed, or sizes for an image of static dimensions.")
    height_width = x.shape[1:3]
    if not scales:
        scales = [size / dimension for size, dimension in zip(sizes, height_width, strict=True)]
    tested = [
        (dimension, scale)
        for input_dimension, scale in zip(height_width, scales, strict=True)
        for dimension in (_TESTED_SIZES if input_dimension == DYNAMIC else [input_dimension])
    ]
    for dimension, scale in tested:
        if (
            not 0 < dimension * scale < _MAX_PIXELS
            or abs(dimension * scale - round(dimension * scale)) > _SIZE_TOLERANCE * scale
        ):
            raise ModelBuildError(
                f"{name}: whole numbers of rows and columns, below {_MAX_PIXELS}, needed. "
                f"Received: {dimension} times {scale}."
            )
    mode = op.attributes.text("mode", "nearest")
    if mode == "linear":
        operation, coordinates = Operation.RESIZE_BILINEAR, _LINEAR.get(coordinate_mode)
        if coordinate_mode == "pytorch_half_pixel" and any(
            round(dimension * scale) == 1 for dimension, scale in tested
        ):
            coordinates = None
    elif mode == "nearest":
        operation = Operation.RESIZE_NEAREST
        coordinates = next(
            (
                candidate
                for candidate in _OUR_POSITIONS
                if _samples_alike(candidate, tested, coordinate_mode, rounding)
            ),
            None,
        )
    else:
        coordinates = None
    if coordinates is None:
        raise ModelBuildError(
            f"{name} resizes in a way that is not known: {mode}, {coordinate_mode}, {rounding}."
        )
    node = moves.resize(
        operation,
        x,
        name,
        coordinates=coordinates,
        factors=(round(scales[0]), round(scales[1])) if DYNAMIC in height_width else None,
        size=(round(height_width[0] * scales[0]), round(height_width[1] * scales[1])),
    )
    return Value(node, channels_last_axes(4))


def _samples_alike(
    coordinates: Coordinates,
    tested: Sequence[tuple[int, float]],
    coordinate_mode: str,
    rounding: str,
) -> bool:
    """Returns whether the nearest-neighbor rule of `Coordinates` selects the same rows as the rule
    of the file.

    The rules are compared for the pairs (input size, scale) in `tested`.
    """
    file_positions, round_positions = _ONNX_POSITIONS.get(coordinate_mode), _ROUNDINGS.get(rounding)
    if file_positions is None or round_positions is None:
        return False
    for dimension, scale in tested:
        count = round(dimension * scale)
        positions = np.arange(count, dtype=np.float64)
        expected = round_positions(file_positions(positions, dimension, count)).clip(
            0, dimension - 1
        )
        if not np.array_equal(
            _OUR_POSITIONS[coordinates](positions, dimension, count).clip(0, dimension - 1),
            expected,
        ):
            return False
    return True


def _align_corners(positions: _Positions, size: int, count: int) -> _Positions:
    return positions * ((size - 1) / max(count - 1, 1))


_OUR_POSITIONS: dict[Coordinates, Callable[[_Positions, int, int], _Positions]] = {
    Coordinates.ASYMMETRIC: lambda position, size, count: np.floor(position * size / count),
    Coordinates.HALF_PIXEL: lambda position, size, count: np.floor((position + 0.5) * size / count),
    Coordinates.ALIGN_CORNERS: lambda position, size, count: np.floor(
        _align_corners(position, size, count) + 0.5
    ),
}
_ONNX_POSITIONS: dict[str, Callable[[_Positions, int, int], _Positions]] = {
    "asymmetric": lambda position, size, count: position * size / count,
    "half_pixel": lambda position, size, count: (position + 0.5) * size / count - 0.5,
    "half_pixel_symmetric": lambda position, size, count: (position + 0.5) * size / count - 0.5,
    "pytorch_half_pixel": lambda position, size, count: (
        (position + 0.5) * size / count - 0.5 if count > 1 else position * 0
    ),
    "align_corners": _align_corners,
}
_ROUNDINGS: dict[str, Callable[[_Positions], _Positions]] = {
    "round_prefer_floor": lambda position: np.ceil(position - 0.5),
    "round_prefer_ceil": lambda position: np.floor(position + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
RESIZE_READERS = {"Resize": _resize, "Upsample": _upsample}
