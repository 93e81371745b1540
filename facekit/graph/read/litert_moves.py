"""LiteRT's operators that put numbers elsewhere, and what they make of constants."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph import moves, operations
from facekit.graph.graph import OPEN, Coordinates, Node, Operation, Shape
from facekit.graph.read.litert_given import MOST_STEPS, Given, Read, counted, listed


def _pad(given: Given) -> Node:
    x, sides = given.data(), given.constant(1)
    value = given.floats(2).item() if given.has(2) else 0.0
    if sides.shape != (4, 2) or sides[0].any() or (sides[3].any() and value):
        raise ValueError("pads of rows, columns, or channels of zeros needed")
    if not 0 <= sides.min() <= sides.max() <= MOST_STEPS:
        raise ValueError(f"pads of 0 to {MOST_STEPS} needed")
    top, bottom, left, right, before, after = (int(side) for side in sides[1:].ravel())
    if before or after:
        wide = np.eye(x.shape[3], before + x.shape[3] + after, before, dtype=np.float32)
        name = f"{given.name}/channels" if sides[1:3].any() else given.name
        x = operations.convolution(x, wide[None, None], name)
    pads = (top, left, bottom, right)
    return moves.pad(x, pads, given.name, value=value) if any(pads) else x


def _concatenate(given: Given) -> Node:
    axis = given.options("ConcatenationOptions").Axis()
    nodes = [given.data(place) for place in range(len(given.values))]
    return moves.concatenate(nodes, given.name, axis=counted(axis, len(nodes[0].shape)))


def _split(given: Given) -> list[Node]:
    x, parts = given.data(1), len(given.names)
    axis = given.axis(0, len(x.shape))
    if x.shape[axis] % parts:
        raise ValueError(f"{x.shape} in {parts} equal parts")
    return _parts(given, x, axis, [x.shape[axis] // parts] * parts)


def _split_by_sizes(given: Given) -> list[Node]:
    x = given.data()
    axis, sizes = given.axis(2, len(x.shape)), given.integers(1)
    rest = x.shape[axis] - sum(size for size in sizes if size != OPEN)
    return _parts(given, x, axis, [rest if size == OPEN else size for size in sizes])


def _parts(given: Given, x: Node, axis: int, sizes: Sequence[int]) -> list[Node]:
    made, start = [], 0
    for name, size in zip(given.names, sizes, strict=True):
        begin, end = [0] * len(x.shape), list(x.shape)
        begin[axis], end[axis] = start, start + size
        made.append(moves.cut(x, begin, end, name, step=[1] * len(begin)))
        start += size
    return made


def _slice(given: Given) -> Node:
    x, begin, size = given.data(), given.integers(1), given.integers(2)
    end = [
        side if by == OPEN else first + by
        for side, first, by in zip(x.shape, begin, size, strict=True)
    ]
    return moves.cut(x, begin, end, given.name, step=[1] * len(begin))


def _strided_slice(given: Given) -> Node:
    x = given.data()
    begin, end, step, shrunk = _bounds(given, x.shape)
    name = f"{given.name}/kept" if shrunk else given.name
    part = moves.cut(x, begin, end, name, step=step)
    if not shrunk:
        return part
    sides = tuple(side for place, side in enumerate(part.shape) if place not in shrunk)
    return moves.reshape(part, sides, given.name)


def _bounds(given: Given, shape: Shape) -> tuple[list[int], list[int], list[int], list[int]]:
    """Begin, end and step of each side, and which sides vanish."""
    options = given.options("StridedSliceOptions")
    if options.EllipsisMask() or options.NewAxisMask():
        raise ValueError("sides that are added or not named")
    begin, end, step = (given.integers(place) for place in (1, 2, 3))
    shrunk = [place for place in range(len(begin)) if options.ShrinkAxisMask() >> place & 1]
    for place, side in enumerate(shape[: len(begin)]):
        begin[place] = 0 if options.BeginMask() >> place & 1 else _from_start(begin[place], side)
        end[place] = side if options.EndMask() >> place & 1 else _from_start(end[place], side)
        if place in shrunk:
            end[place] = begin[place] + 1
    rest = shape[len(begin) :]
    return [*begin, *(0 for _ in rest)], [*end, *rest], [*step, *(1 for _ in rest)], shrunk


def _from_start(place: int, side: int) -> int:
    if side == OPEN:
        return place
    return min(max(place + side if place < 0 else place, 0), side)


def _reshape(given: Given) -> Node:
    x = given.data()
    asked = (
        given.integers(1) if given.has(1) else listed(given.options("ReshapeOptions"), "NewShape")
    )
    return moves.reshape(x, _resolved(x, asked), given.name)


def _resolved(x: Node, asked: Sequence[int]) -> Shape:
    """With a number for the -1 that means what is left over; where a side of x is open, another
    -1 before that stands for it."""
    sides, whole = list(asked), abs(prod(x.shape)) // max(abs(prod(asked)), 1)
    left_over = [place for place, side in enumerate(sides) if side == OPEN]
    for place in left_over[x.shape.count(OPEN) :]:
        sides[place] = whole
    return tuple(sides)


def _squeeze(given: Given) -> Node:
    x = given.data()
    rank = len(x.shape)
    axes = {counted(one, rank) for one in listed(given.options("SqueezeOptions"), "SqueezeDims")}
    axes = axes or {place for place, side in enumerate(x.shape) if side == 1}
    sides = tuple(side for place, side in enumerate(x.shape) if place not in axes)
    return moves.reshape(x, sides, given.name)


def _expand(given: Given) -> Node:
    sides = list(given.data().shape)
    sides.insert(given.axis(1, len(sides) + 1), 1)
    return moves.reshape(given.data(), tuple(sides), given.name)


def _transpose(given: Given) -> Node:
    """Two after each other are one; one there and back is none."""
    x, order = given.data(), [counted(one, len(given.data().shape)) for one in given.integers(1)]
    if x.operation is Operation.TRANSPOSE:
        order = [x.integers["order"][place] for place in order]
        x = x.inputs[0]
    return x if order == list(range(len(order))) else moves.transpose(x, order, given.name)


def _broadcast(given: Given) -> Node:
    return moves.broadcast(given.data(), tuple(given.integers(1)), given.name)


def _resize(operation: Operation, kind: str) -> Read:
    def read(given: Given) -> Node:
        x, options, size = given.data(), given.options(kind), given.integers(1)
        coordinates = (
            Coordinates.HALF_PIXEL if options.HalfPixelCenters() else Coordinates.ASYMMETRIC
        )
        if options.AlignCorners():
            coordinates = Coordinates.ALIGN_CORNERS
        rows, columns = size
        by_factors = max(size) < 0  # times an open side
        return moves.resize(
            operation,
            x,
            given.name,
            coordinates=coordinates,
            factors=(-rows, -columns) if by_factors else None,
            size=None if by_factors else (rows, columns),
        )

    return read


def _shape(given: Given) -> NDArray[Any]:
    return np.array(given.data().shape, np.int64)


def _cast(given: Given) -> NDArray[Any]:
    """Numbers of another width."""
    values = given.constant(0)
    if values.dtype.kind == "b":
        raise ValueError("truth values as numbers")
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _constant_part(given: Given) -> NDArray[Any]:
    values = given.constant(0)
    begin, end, step, shrunk = _bounds(given, values.shape)
    parts = [slice(*bounds) for bounds in zip(begin, end, step, strict=True)]
    return np.squeeze(values[tuple(parts)], tuple(shrunk))


def _packed(given: Given) -> NDArray[Any]:
    axis = given.options("PackOptions").Axis()
    return np.stack(given.constants(), axis)


def _joined(given: Given) -> NDArray[Any]:
    axis = given.options("ConcatenationOptions").Axis()
    return np.concatenate(given.constants(), axis)


def _times(given: Given) -> NDArray[Any]:
    """A shape that the file asks for by factors: what is below zero stands for an open side."""
    a, b = given.constants()
    if (
        max(a.ndim, b.ndim) > 1
        or a.dtype.kind != "i"
        or b.dtype.kind != "i"
        or ((a < 0) & (b < 0)).any()
    ):
        raise ValueError("a product of other numbers than those of a shape and factors")
    return np.asarray(a * b)


def _product(given: Given) -> NDArray[Any]:
    """Of the sides of a shape, of which one may be open."""
    values = given.constant(0)
    axes, keep = given.axes(1, values.ndim), given.options("ReducerOptions").KeepDims()
    if values.dtype.kind != "i" or (values < 0).sum() > 1:
        raise ValueError("a product of other numbers than those of a shape with one open side")
    return np.asarray(values.prod(axes, keepdims=keep))


def _turned(given: Given) -> NDArray[Any]:
    return np.transpose(given.constant(0), given.integers(1))


def _reshaped(given: Given) -> NDArray[Any]:
    return given.constant(0).reshape(given.integers(1))


MOVING: dict[str, Read] = {
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
OF_CONSTANTS: dict[str, Read] = {
    "CAST": _cast,
    "CONCATENATION": _joined,
    "DEQUANTIZE": _cast,
    "MUL": _times,
    "PACK": _packed,
    "REDUCE_PROD": _product,
    "RESHAPE": _reshaped,
    "STRIDED_SLICE": _constant_part,
    "TRANSPOSE": _turned,
}
