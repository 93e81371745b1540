"""Creates graph nodes that move data: pad, reshape, transpose, concatenate, slice, repeat, resize.

Each function checks its arguments and computes the shape of the output.  All functions raise
ModelBuildError, which names the node, if an argument is not valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from facekit.errors import ModelBuildError
from facekit.graph.checks import (
    MAX_POSITION,
    broadcast_shape,
    float_attribute,
    is_static,
    require,
    require_image,
)
from facekit.graph.graph import DYNAMIC, Coordinates, Node, Operation, Pads, Resizing, Shape, Window


def pad(x: Node, pads: Pads, name: str, *, value: float = 0.0) -> Node:
    """Adds rows and columns of `value` around an image (N, H, W, C).

    `pads` are (top, left, bottom, right).
    """
    top, left, bottom, right = pads
    require(0 <= min(pads) <= max(pads) < MAX_POSITION, name, f"pads of 0 to {MAX_POSITION}", pads)
    count, height, width, channels = require_image(x, name)
    shape = (
        count,
        _add_to_dimension(height, top + bottom),
        _add_to_dimension(width, left + right),
        channels,
    )
    attributes = float_attribute(name, "value", value) if value else {}
    return Node(
        Operation.PAD, name, (x,), shape, window=Window(pads=pads), float_attributes=attributes
    )


def reshape(x: Node, shape: Shape, name: str) -> Node:
    """Changes the shape and keeps the elements in row-major order.

    Exactly one dimension of `shape` is DYNAMIC if one dimension of x is, and none otherwise.
    """
    size, known_size = abs(prod(x.shape)), abs(prod(shape))
    if is_static(x.shape):
        fits = is_static(shape) and size == known_size
    else:
        fits = shape.count(DYNAMIC) == 1 and known_size > 0 == size % known_size
    require(fits, name, f"a shape for the elements of {x.shape}", shape)
    return Node(Operation.RESHAPE, name, (x,), shape)


def flatten(x: Node, name: str) -> Node:
    """Flattens an image, (N, H, W, C), to (N, H * W * C), in the order row, column, channel."""
    count, *dimensions = require_image(x, name)
    require(is_static(tuple(dimensions)), name, "static dimensions", x.shape)
    return reshape(x, (count, prod(dimensions)), name)


def transpose(x: Node, order: Sequence[int], name: str) -> Node:
    """Permutes the axes of x: output axis n is axis order[n] of x."""
    fits = sorted(order) == list(range(len(x.shape)))
    require(fits, name, f"an order of the axes of {x.shape}", list(order))
    shape = tuple(x.shape[axis] for axis in order)
    return Node(Operation.TRANSPOSE, name, (x,), shape, int_attributes={"order": tuple(order)})


def concatenate(inputs: Sequence[Node], name: str, *, axis: int = -1) -> Node:
    """Joins the inputs along `axis`."""
    rank = len(inputs[0].shape)
    axis %= rank
    other_dimensions = {node.shape[:axis] + node.shape[axis + 1 :] for node in inputs}
    if len(other_dimensions) != 1 or {len(node.shape) for node in inputs} != {rank}:
        shapes = sorted({node.shape for node in inputs})
        raise ModelBuildError(f"{name}: its inputs have different dimensions: {shapes}.")
    sizes = [node.shape[axis] for node in inputs]
    size = DYNAMIC if DYNAMIC in sizes else sum(sizes)
    shape = (*inputs[0].shape[:axis], size, *inputs[0].shape[axis + 1 :])
    return Node(Operation.CONCATENATE, name, tuple(inputs), shape, int_attributes={"axis": (axis,)})


def strided_slice(
    x: Node, begin: Sequence[int], end: Sequence[int], name: str, *, step: Sequence[int]
) -> Node:
    """Selects the elements from `begin` to `end` (excluded) of each axis, in steps of `step`.

    An end of DYNAMIC means the end of a dynamic axis.
    """
    shape = []
    for size, first, last, stride in zip(x.shape, begin, end, step, strict=True):
        fits = (
            0 <= first < MAX_POSITION
            and 0 < stride < MAX_POSITION
            and (last == DYNAMIC if size == DYNAMIC else first < last <= size)
        )
        require(fits, name, f"a part of {x.shape}", f"{list(begin)} to {list(end)} by {list(step)}")
        shape.append(DYNAMIC if size == DYNAMIC else -(-(last - first) // stride))
    integers = {"begin": tuple(begin), "end": tuple(end), "step": tuple(step)}
    return Node(Operation.SLICE, name, (x,), tuple(shape), int_attributes=integers)


def broadcast(x: Node, shape: Shape, name: str) -> Node:
    """Repeats dimensions of size 1 until x has the static shape `shape`."""
    fits = is_static(shape) and broadcast_shape(x.shape, shape, name) == shape
    require(fits, name, f"a shape that {x.shape} can be repeated to", shape)
    return Node(Operation.BROADCAST, name, (x,), shape)


def resize(
    operation: Operation,
    x: Node,
    name: str,
    *,
    coordinates: Coordinates,
    factors: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
) -> Node:
    """Resizes an image by integer `factors`, (rows, columns), or to `size`, (height, width).

    `operation` is RESIZE_NEAREST or RESIZE_BILINEAR.
    """
    count, *height_width, channels = require_image(x, name)
    if factors is not None:
        require(min(factors) >= 1, name, "factors of 1 or more", factors)
        height_width = [
            dimension if dimension == DYNAMIC else dimension * factor
            for dimension, factor in zip(height_width, factors, strict=True)
        ]
    elif size is not None:
        require(min(size) >= 1, name, "a size of 1 or more", size)
        height_width = list(size)
    shape = (count, *height_width, channels)
    return Node(operation, name, (x,), shape, resizing=Resizing(coordinates, factors))


def _add_to_dimension(size: int, added: int) -> int:
    return DYNAMIC if size == DYNAMIC else size + added
