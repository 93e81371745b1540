"""Readers for LiteRT operators that move data (pad, slice, reshape, resize, ...).

Operators on constants are evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph import moves, operations
from facekit.graph.graph import DYNAMIC, Coordinates, Node, Operation, Shape
from facekit.graph.read.litert_arguments import (
    MAX_STEP,
    OperatorArguments,
    OperatorReader,
    int_vector,
    normalize_axis,
)


def _pad(op: OperatorArguments) -> Node:
    x, paddings = op.data(), op.constant(1)
    value = op.floats(2).item() if op.has(2) else 0.0
    if paddings.shape != (4, 2) or paddings[0].any() or (paddings[3].any() and value):
        raise ValueError("pads of rows, columns, or channels of zeros needed")
    if not 0 <= paddings.min() <= paddings.max() <= MAX_STEP:
        raise ValueError(f"pads of 0 to {MAX_STEP} needed")
    top, bottom, left, right, before, after = (int(padding) for padding in paddings[1:].ravel())
    if before or after:
        kernel = np.eye(x.shape[3], before + x.shape[3] + after, before, dtype=np.float32)
        name = f"{op.name}/channels" if paddings[1:3].any() else op.name
        # A 1 x 1 convolution with an identity kernel adds channels of zeros.
        x = operations.convolution(x, kernel[None, None], name)
    pads = (top, left, bottom, right)
    return moves.pad(x, pads, op.name, value=value) if any(pads) else x


def _concatenate(op: OperatorArguments) -> Node:
    axis = op.options("ConcatenationOptions").Axis()
    nodes = [op.data(index) for index in range(len(op.values))]
    return moves.concatenate(nodes, op.name, axis=normalize_axis(axis, len(nodes[0].shape)))


def _split(op: OperatorArguments) -> list[Node]:
    x, parts = op.data(1), len(op.names)
    axis = op.axis(0, len(x.shape))
    if x.shape[axis] % parts:
        raise ValueError(f"{x.shape} in {parts} equal parts")
    return _slices(op, x, axis, [x.shape[axis] // parts] * parts)


def _split_by_sizes(op: OperatorArguments) -> list[Node]:
    x = op.data()
    axis, sizes = op.axis(2, len(x.shape)), op.integers(1)
    rest = x.shape[axis] - sum(size for size in sizes if size != DYNAMIC)
    return _slices(op, x, axis, [rest if size == DYNAMIC else size for size in sizes])


def _slices(op: OperatorArguments, x: Node, axis: int, sizes: Sequence[int]) -> list[Node]:
    slices, start = [], 0
    for name, size in zip(op.names, sizes, strict=True):
        begin, end = [0] * len(x.shape), list(x.shape)
        begin[axis], end[axis] = start, start + size
        slices.append(moves.strided_slice(x, begin, end, name, step=[1] * len(begin)))
        start += size
    return slices


def _slice(op: OperatorArguments) -> Node:
    x, begin, size = op.data(), op.integers(1), op.integers(2)
    end = [
        dimension if length == DYNAMIC else start + length
        for dimension, start, length in zip(x.shape, begin, size, strict=True)
    ]
    return moves.strided_slice(x, begin, end, op.name, step=[1] * len(begin))


def _strided_slice(op: OperatorArguments) -> Node:
    x = op.data()
    begin, end, step, removed_axes = _bounds(op, x.shape)
    name = f"{op.name}/kept" if removed_axes else op.name
    part = moves.strided_slice(x, begin, end, name, step=step)
    if not removed_axes:
        return part
    shape = tuple(size for axis, size in enumerate(part.shape) if axis not in removed_axes)
    return moves.reshape(part, shape, op.name)


def _bounds(
    op: OperatorArguments, shape: Shape
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Returns begin, end and step for each axis of `shape`, and the axes that are removed."""
    options = op.options("StridedSliceOptions")
    if options.EllipsisMask() or options.NewAxisMask():
        raise ValueError("an ellipsis or a new axis in a strided slice")
    begin, end, step = (op.integers(axis) for axis in (1, 2, 3))
    removed_axes = [axis for axis in range(len(begin)) if options.ShrinkAxisMask() >> axis & 1]
    for axis, size in enumerate(shape[: len(begin)]):
        begin[axis] = (
            0 if options.BeginMask() >> axis & 1 else _normalize_position(begin[axis], size)
        )
        end[axis] = size if options.EndMask() >> axis & 1 else _normalize_position(end[axis], size)
        if axis in removed_axes:
            end[axis] = begin[axis] + 1
    rest = shape[len(begin) :]
    return [*begin, *(0 for _ in rest)], [*end, *rest], [*step, *(1 for _ in rest)], removed_axes


def _normalize_position(position: int, size: int) -> int:
    if size == DYNAMIC:
        return position
    return min(max(position + size if position < 0 else position, 0), size)


def _reshape(op: OperatorArguments) -> Node:
    x = op.data()
    requested_shape = (
        op.integers(1) if op.has(1) else int_vector(op.options("ReshapeOptions"), "NewShape")
    )
    return moves.reshape(x, _resolve_shape(x, requested_shape), op.name)


def _resolve_shape(x: Node, requested_shape: Sequence[int]) -> Shape:
    """Returns `requested_shape` with its inferred dimension filled in.

    As many -1s as x has dynamic dimensions, counted from the first, stay DYNAMIC.  A further -1 is
    replaced by the number of elements that remain for it.
    """
    shape, inferred = (
        list(requested_shape),
        abs(prod(x.shape)) // max(abs(prod(requested_shape)), 1),
    )
    unknown_axes = [axis for axis, size in enumerate(shape) if size == DYNAMIC]
    for axis in unknown_axes[x.shape.count(DYNAMIC) :]:
        shape[axis] = inferred
    return tuple(shape)


def _squeeze(op: OperatorArguments) -> Node:
    x = op.data()
    rank = len(x.shape)
    axes = {
        normalize_axis(axis, rank)
        for axis in int_vector(op.options("SqueezeOptions"), "SqueezeDims")
    }
    axes = axes or {axis for axis, size in enumerate(x.shape) if size == 1}
    shape = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
    return moves.reshape(x, shape, op.name)


def _expand(op: OperatorArguments) -> Node:
    shape = list(op.data().shape)
    shape.insert(op.axis(1, len(shape) + 1), 1)
    return moves.reshape(op.data(), tuple(shape), op.name)


def _transpose(op: OperatorArguments) -> Node:
    """Merges two consecutive transposes into one, and removes a transpose that changes nothing."""
    x, order = (
        op.data(),
        [normalize_axis(axis, len(op.data().shape)) for axis in op.integers(1)],
    )
    if x.operation is Operation.TRANSPOSE:
        order = [x.int_attributes["order"][axis] for axis in order]
        x = x.inputs[0]
    return x if order == list(range(len(order))) else moves.transpose(x, order, op.name)


def _broadcast(op: OperatorArguments) -> Node:
    return moves.broadcast(op.data(), tuple(op.integers(1)), op.name)


def _resize(operation: Operation, kind: str) -> OperatorReader:
    def read(op: OperatorArguments) -> Node:
        x, options, size = op.data(), op.options(kind), op.integers(1)
        coordinates = (
            Coordinates.HALF_PIXEL if options.HalfPixelCenters() else Coordinates.ASYMMETRIC
        )
        if options.AlignCorners():
            coordinates = Coordinates.ALIGN_CORNERS
        rows, columns = size
        by_factors = max(size) < 0  # negative: factors of a dynamic height and width
        return moves.resize(
            operation,
            x,
            op.name,
            coordinates=coordinates,
            factors=(-rows, -columns) if by_factors else None,
            size=None if by_factors else (rows, columns),
        )

    return read


def _shape(op: OperatorArguments) -> NDArray[Any]:
    return np.array(op.data().shape, np.int64)


def _fold_cast(op: OperatorArguments) -> NDArray[Any]:
    """Converts floats to float32 and returns integers unchanged.  Raises ValueError for
    booleans."""
    values = op.constant(0)
    if values.dtype.kind == "b":
        raise ValueError("booleans as numbers")
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _fold_strided_slice(op: OperatorArguments) -> NDArray[Any]:
    values = op.constant(0)
    begin, end, step, removed_axes = _bounds(op, values.shape)
    parts = [slice(*bounds) for bounds in zip(begin, end, step, strict=True)]
    return np.squeeze(values[tuple(parts)], tuple(removed_axes))


def _fold_pack(op: OperatorArguments) -> NDArray[Any]:
    axis = op.options("PackOptions").Axis()
    return np.stack(op.constants(), axis)


def _fold_concatenation(op: OperatorArguments) -> NDArray[Any]:
    axis = op.options("ConcatenationOptions").Axis()
    return np.concatenate(op.constants(), axis)


def _fold_product(op: OperatorArguments) -> NDArray[Any]:
    """Multiplies a shape by integer factors.  A negative size stands for a dynamic dimension."""
    a, b = op.constants()
    if (
        max(a.ndim, b.ndim) > 1
        or a.dtype.kind != "i"
        or b.dtype.kind != "i"
        or ((a < 0) & (b < 0)).any()
    ):
        raise ValueError("a product of other values than a shape and factors")
    return np.asarray(a * b)


def _fold_reduce_product(op: OperatorArguments) -> NDArray[Any]:
    """Multiplies the dimensions of a shape, at most one of which may be dynamic (negative)."""
    values = op.constant(0)
    axes, keep = op.axes(1, values.ndim), op.options("ReducerOptions").KeepDims()
    if values.dtype.kind != "i" or (values < 0).sum() > 1:
        raise ValueError("a product of other values than a shape with one dynamic dimension")
    return np.asarray(values.prod(axes, keepdims=keep))


def _fold_transpose(op: OperatorArguments) -> NDArray[Any]:
    return np.transpose(op.constant(0), op.integers(1))


def _fold_reshape(op: OperatorArguments) -> NDArray[Any]:
    return op.constant(0).reshape(op.integers(1))


DATA_MOVEMENT_READERS: dict[str, OperatorReader] = {
    "BROADCAST_TO": _broadcast,
    "CONCATENATION": _concatenate,
    "EXPAND_DIMS": _expand,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize(Operation.RESIZE_BILINEAR, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": _resize(Operation.RESIZE_NEAREST, "ResizeNearestNeighborOptions"),
    "SHAPE": _shape,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_by_sizes,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
CONSTANT_FOLDERS: dict[str, OperatorReader] = {
    "CAST": _fold_cast,
    "CONCATENATION": _fold_concatenation,
    "DEQUANTIZE": _fold_cast,
    "MUL": _fold_product,
    "PACK": _fold_pack,
    "REDUCE_PROD": _fold_reduce_product,
    "RESHAPE": _fold_reshape,
    "STRIDED_SLICE": _fold_strided_slice,
    "TRANSPOSE": _fold_transpose,
}
