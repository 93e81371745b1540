"""LiteRT's operators as nodes, and what is known of constants before anything runs.

A shape that the file itself asks for (SHAPE) is a constant with -1 for an open side and -n for n
times an open side, as a resize by a factor needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.graph import moves, operations
from facekit.graph.graph import NO_PADS, OPEN, Coordinates, Node, Operation, Pads, Shape
from facekit.graph.read.litert_file import FileOperator
from facekit.types import Float32Array

Value: TypeAlias = "Node | NDArray[Any]"
Made: TypeAlias = "Value | Sequence[Value]"
"""what an operator gives; one for each of its outputs"""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Given:
    """What an operator reads, each checked to be of the kind that is asked for."""

    names: Sequence[str]
    """for what it gives"""
    values: Sequence[Value | None]
    operator: FileOperator

    @property
    def name(self) -> str:
        return self.names[0]

    def options(self, kind: str) -> Any:
        return self.operator.options(kind)

    def data(self, place: int = 0) -> Node:
        value = self.values[place]
        if not isinstance(value, Node):
            raise ValueError(f"its input {place} must be computed")
        return value

    def has(self, place: int) -> bool:
        return place < len(self.values) and self.values[place] is not None

    def constant(self, place: int) -> NDArray[Any]:
        value = self.values[place]
        if not isinstance(value, np.ndarray):
            raise ValueError(f"its input {place} must be constant")
        return value

    def floats(self, place: int) -> Float32Array:
        value = self.constant(place)
        if value.dtype != np.float32:
            raise ValueError(f"its input {place} must be float32, not {value.dtype}")
        return value

    def integers(self, place: int) -> list[int]:
        value = self.constant(place)
        if value.dtype.kind != "i":
            raise ValueError(f"its input {place} must be integers, not {value.dtype}")
        return [int(one) for one in value.ravel()]

    def axes(self, place: int, rank: int) -> tuple[int, ...]:
        """Counted from 0, in order."""
        return tuple(sorted({_axis(one, rank) for one in self.integers(place)}))


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of {rank} sides")
    return axis % rank


def _convolution(given: Given) -> Node:
    return _convolved(given, given.floats(1).transpose(1, 2, 3, 0), "Conv2DOptions")


def _depthwise(given: Given) -> Node:
    kernel = given.floats(1)  # (1, height, width, out)
    channels = given.data().shape[-1]
    if given.options("DepthwiseConv2DOptions").DepthMultiplier() * channels != kernel.shape[3]:
        raise ValueError(f"a kernel for {channels} channels needed, not of shape {kernel.shape}")
    return _convolved(given, kernel.transpose(1, 2, 0, 3), "DepthwiseConv2DOptions")


def _convolved(given: Given, kernel: Float32Array, kind: str) -> Node:
    options = given.options(kind)
    return operations.convolution(
        given.data(),
        kernel,
        given.name,
        bias=given.floats(2) if given.has(2) else None,
        stride=_two(options.StrideH(), options.StrideW()),
        dilation=_two(options.DilationHFactor(), options.DilationWFactor()),
        pads=_pads(options),
    )


def _two(rows: int, columns: int) -> tuple[int, int]:
    if not 0 < min(rows, columns) <= max(rows, columns) <= _MOST_STEPS:
        raise ValueError(f"{rows} rows and {columns} columns as a step or a size")
    return rows, columns


def _pads(options: Any) -> Pads | None:
    return {0: None, 1: NO_PADS}[options.Padding()]  # the schema's Padding: SAME, VALID


def _dense(given: Given) -> Node:
    options, x, kernel = given.options("FullyConnectedOptions"), given.data(), given.floats(1).T
    if options.WeightsFormat() != 0:
        raise ValueError("its weights are shuffled")
    if len(x.shape) != 2 and not options.KeepNumDims():
        count = x.shape[0] if x.shape[0] in (1, OPEN) else OPEN
        flat = (count, kernel.shape[0])
        x = moves.reshape(x, flat, f"{given.name}/flat")
    bias = given.floats(2) if given.has(2) else None
    return operations.dense(x, kernel, given.name, bias=bias)


def _pool(make: Callable[..., Node]) -> Callable[[Given], Node]:
    def read(given: Given) -> Node:
        options = given.options("Pool2DOptions")
        size = _two(options.FilterHeight(), options.FilterWidth())
        stride = _two(options.StrideH(), options.StrideW())
        return make(given.data(), size, given.name, stride=stride, pads=_pads(options))

    return read


def _elementwise(operation: Operation) -> Callable[[Given], Node]:
    """ADD, MULTIPLY, MAXIMUM, MINIMUM, in which operands may change places."""

    def read(given: Given) -> Node:
        place = 0 if isinstance(given.values[0], Node) else 1
        x, other = given.data(place), given.values[1 - place]
        if isinstance(other, Node):
            return operations.elementwise(operation, x, other, given.name)
        constant = _beside(x, given.floats(1 - place))
        return operations.elementwise(operation, x, constant, given.name)

    return read


def _subtract(given: Given) -> Node:
    a, b = given.values
    if isinstance(a, Node) and isinstance(b, Node):
        return operations.elementwise(Operation.SUBTRACT, a, b, given.name)
    if isinstance(a, Node):
        return operations.add(a, _beside(a, -given.floats(1)), given.name)
    x = given.data(1)
    negative = operations.multiply(x, np.float32([-1]), f"{given.name}/negative")
    return operations.add(negative, _beside(x, given.floats(0)), given.name)


def _divide(given: Given) -> Node:
    a, b = given.values
    if isinstance(a, Node) and isinstance(b, Node):
        return operations.elementwise(Operation.DIVIDE, a, b, given.name)
    if isinstance(a, Node):
        return operations.multiply(a, _beside(a, 1 / given.floats(1)), given.name)
    x = given.data(1)
    reciprocal = operations.power(x, -1, f"{given.name}/reciprocal")
    return operations.multiply(reciprocal, _beside(x, given.floats(0)), given.name)


def _beside(x: Node, constant: Float32Array) -> Float32Array:
    """(channels,), or with as many sides as x."""
    rank = len(x.shape)
    sides = (1,) * (rank - constant.ndim) + constant.shape
    if constant.size == max(sides[-1:], default=1):
        return constant.reshape(-1)
    return constant.reshape(sides)


def _prelu(given: Given) -> Node:
    x, slope = given.data(), _beside(given.data(), given.floats(1))
    slope = np.resize(slope, x.shape[-1]) if slope.size == 1 else slope
    return operations.prelu(x, slope, given.name)


def _power(exponent: float) -> Callable[[Given], Node]:
    return lambda given: operations.power(given.data(), exponent, given.name)


def _power_of_constant(given: Given) -> Node:
    return operations.power(given.data(), given.floats(1).item(), given.name)


def _negative(given: Given) -> Node:
    return operations.multiply(given.data(), np.float32([-1]), given.name)


def _activation(operation: Operation) -> Callable[[Given], Node]:
    return lambda given: operations.activation(operation, given.data(), given.name)


def _leaky_relu(given: Given) -> Node:
    return operations.leaky_relu(
        given.data(), given.options("LeakyReluOptions").Alpha(), given.name
    )


def _softmax(given: Given) -> Node:
    if given.options("SoftmaxOptions").Beta() != 1:
        raise ValueError("a factor before the exponential function")
    return operations.softmax(given.data(), given.name)


def _pad(given: Given) -> Node:
    sides = given.constant(1)
    if sides.shape != (4, 2) or sides[[0, 3]].any():
        raise ValueError("pads of rows and columns needed")
    top, bottom, left, right = (int(side) for side in sides[1:3].ravel())
    value = given.floats(2).item() if given.has(2) else 0.0
    return moves.pad(given.data(), (top, left, bottom, right), given.name, value=value)


def _reduction(operation: Operation) -> Callable[[Given], Node]:
    def read(given: Given) -> Node:
        x, keep = given.data(), given.options("ReducerOptions").KeepDims()
        axes = given.axes(1, len(x.shape))
        return operations.reduced(operation, x, axes, given.name, keep=keep)

    return read


def _concatenate(given: Given) -> Node:
    axis = given.options("ConcatenationOptions").Axis()
    nodes = [given.data(place) for place in range(len(given.values))]
    return moves.concatenate(nodes, given.name, axis=_axis(axis, len(nodes[0].shape)))


def _split(given: Given) -> list[Node]:
    x, parts = given.data(1), len(given.names)
    axis = _axis(*given.integers(0), len(x.shape))
    if x.shape[axis] % parts:
        raise ValueError(f"{x.shape} in {parts} equal parts")
    return _parts(given, x, axis, [x.shape[axis] // parts] * parts)


def _split_by_sizes(given: Given) -> list[Node]:
    x = given.data()
    axis, sizes = _axis(*given.integers(2), len(x.shape)), given.integers(1)
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
        given.integers(1) if given.has(1) else _listed(given.options("ReshapeOptions"), "NewShape")
    )
    return moves.reshape(x, _resolved(x, asked), given.name)


def _resolved(x: Node, asked: Sequence[int]) -> Shape:
    """With a number for -1 where all sides of x are known."""
    if OPEN in x.shape or OPEN not in asked:
        return tuple(asked)
    whole, part = abs(int(np.prod(x.shape))), abs(int(np.prod(asked)))
    return tuple(whole // max(part, 1) if side == OPEN else side for side in asked)


def _listed(options: Any, which: str) -> list[int]:
    length = getattr(options, f"{which}Length")()
    return [getattr(options, which)(place) for place in range(min(length, _MOST_SIDES))]


def _squeeze(given: Given) -> Node:
    x = given.data()
    rank = len(x.shape)
    axes = {_axis(one, rank) for one in _listed(given.options("SqueezeOptions"), "SqueezeDims")}
    axes = axes or {place for place, side in enumerate(x.shape) if side == 1}
    sides = tuple(side for place, side in enumerate(x.shape) if place not in axes)
    return moves.reshape(x, sides, given.name)


def _expand(given: Given) -> Node:
    sides = list(given.data().shape)
    sides.insert(_axis(*given.integers(1), len(sides) + 1), 1)
    return moves.reshape(given.data(), tuple(sides), given.name)


def _transpose(given: Given) -> Node:
    """Two after each other are one; one there and back is none."""
    x, order = given.data(), [_axis(one, len(given.data().shape)) for one in given.integers(1)]
    if x.operation is Operation.TRANSPOSE:
        order = [x.integers["order"][place] for place in order]
        x = x.inputs[0]
    return x if order == list(range(len(order))) else moves.transpose(x, order, given.name)


def _broadcast(given: Given) -> Node:
    return moves.broadcast(given.data(), tuple(given.integers(1)), given.name)


def _resize(operation: Operation, kind: str) -> Callable[[Given], Node]:
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


_MOST_STEPS = 1 << 12  # of a stride or a window: more than any picture's side
_MOST_SIDES = 8

OPERATORS: dict[str, Callable[[Given], Made]] = {
    "ADD": _elementwise(Operation.ADD),
    "AVERAGE_POOL_2D": _pool(operations.average_pool),
    "BROADCAST_TO": _broadcast,
    "CONCATENATION": _concatenate,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DIV": _divide,
    "ELU": _activation(Operation.ELU),
    "EXPAND_DIMS": _expand,
    "FULLY_CONNECTED": _dense,
    "HARD_SWISH": _activation(Operation.HARD_SWISH),
    "L2_NORMALIZATION": lambda given: operations.unit_length(given.data(), given.name),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _activation(Operation.SIGMOID),
    "MAXIMUM": _elementwise(Operation.MAXIMUM),
    "MAX_POOL_2D": _pool(operations.max_pool),
    "MEAN": _reduction(Operation.MEAN),
    "MINIMUM": _elementwise(Operation.MINIMUM),
    "MUL": _elementwise(Operation.MULTIPLY),
    "NEG": _negative,
    "PAD": _pad,
    "PADV2": _pad,
    "POW": _power_of_constant,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction(Operation.GREATEST),
    "RELU": _activation(Operation.RELU),
    "RELU6": _activation(Operation.RELU6),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize(Operation.RESIZE_BILINEAR, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": _resize(Operation.RESIZE_NEAREST, "ResizeNearestNeighborOptions"),
    "RSQRT": _power(-0.5),
    "SHAPE": _shape,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SPLIT_V": _split_by_sizes,
    "SQRT": _power(0.5),
    "SQUARE": _power(2),
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _subtract,
    "SUM": _reduction(Operation.SUM),
    "TRANSPOSE": _transpose,
}


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
    return np.stack([given.constant(place) for place in range(len(given.values))], axis)


def _joined(given: Given) -> NDArray[Any]:
    axis = given.options("ConcatenationOptions").Axis()
    return np.concatenate([given.constant(place) for place in range(len(given.values))], axis)


def _times(given: Given) -> NDArray[Any]:
    a, b = (given.constant(place) for place in (0, 1))
    return _whole([a, b], a * b)


def _product(given: Given) -> NDArray[Any]:
    values = given.constant(0)
    keep = given.options("ReducerOptions").KeepDims()
    axes = given.axes(1, values.ndim)
    return _whole([values], np.asarray(values.prod(axes, keepdims=keep)))


def _whole(sides: Sequence[NDArray[Any]], product: NDArray[Any]) -> NDArray[Any]:
    """Of shapes, of which one side at most is open."""
    if (
        any(one.dtype.kind != "i" for one in sides)
        or sum(int((one < 0).sum()) for one in sides) > 1
    ):
        raise ValueError("a product of other numbers than those of a shape with one open side")
    return product


def _turned(given: Given) -> NDArray[Any]:
    return given.constant(0).transpose(given.integers(1))


def _reshaped(given: Given) -> NDArray[Any]:
    return given.constant(0).reshape(given.integers(1))


CONSTANT_OPERATORS: dict[str, Callable[[Given], Made]] = {
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
