"""Nodes of a graph that calculate nothing: they put numbers elsewhere, leave some out, or repeat
them (but for `resize_bilinear`, which mixes neighbors).

Each function checks what it is given and says the shape that follows.  All raise ModelBuildError
naming the node, and what was needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from facekit.errors import ModelBuildError
from facekit.graph.checks import broadcast_shape, finite_number, known, picture, require
from facekit.graph.graph import OPEN, Coordinates, Node, Operation, Pads, Resizing, Shape, Window

_MOST = 1 << 27  # of what is counted: more than a picture has


def pad(x: Node, pads: Pads, name: str, *, value: float = 0.0) -> Node:
    """A picture with rows and columns of `value` around it."""
    top, left, bottom, right = pads
    require(0 <= min(pads) <= max(pads) < _MOST, name, f"pads of 0 to {_MOST}", pads)
    count, height, width, channels = picture(x, name)
    shape = (count, _wider(height, top + bottom), _wider(width, left + right), channels)
    numbers = finite_number(name, "value", value) if value else {}
    return Node(Operation.PAD, name, (x,), shape, window=Window(pads=pads), numbers=numbers)


def reshape(x: Node, shape: Shape, name: str) -> Node:
    """The same numbers in the same order; one side may be OPEN where one of `x` is."""
    whole, part = abs(prod(x.shape)), abs(prod(shape))
    if known(x.shape):
        fits = known(shape) and whole == part
    else:
        fits = shape.count(OPEN) == 1 and part > 0 == whole % part
    require(fits, name, f"a shape for the numbers of {x.shape}", shape)
    return Node(Operation.RESHAPE, name, (x,), shape)


def flatten(x: Node, name: str) -> Node:
    """(N, H, W, C) to (N, H * W * C): rows, columns, channels."""
    count, *sides = picture(x, name)
    require(known(tuple(sides)), name, "known sides", x.shape)
    return reshape(x, (count, prod(sides)), name)


def transpose(x: Node, order: Sequence[int], name: str) -> Node:
    """Side n is side `order`[n] of x."""
    fits = sorted(order) == list(range(len(x.shape)))
    require(fits, name, f"an order of the sides of {x.shape}", list(order))
    shape = tuple(x.shape[place] for place in order)
    return Node(Operation.TRANSPOSE, name, (x,), shape, integers={"order": tuple(order)})


def concatenate(inputs: Sequence[Node], name: str, *, axis: int = -1) -> Node:
    """Channels side by side, or any other side."""
    rank = len(inputs[0].shape)
    axis %= rank
    around = {node.shape[:axis] + node.shape[axis + 1 :] for node in inputs}
    if len(around) != 1 or {len(node.shape) for node in inputs} != {rank}:
        shapes = sorted({node.shape for node in inputs})
        raise ModelBuildError(f"{name}: its inputs have different sides: {shapes}.")
    sides = [node.shape[axis] for node in inputs]
    side = OPEN if OPEN in sides else sum(sides)
    shape = (*inputs[0].shape[:axis], side, *inputs[0].shape[axis + 1 :])
    return Node(Operation.CONCATENATE, name, tuple(inputs), shape, integers={"axis": (axis,)})


def cut(
    x: Node, begin: Sequence[int], end: Sequence[int], name: str, *, step: Sequence[int]
) -> Node:
    """Of each side those from `begin` up to, without, `end`; OPEN is the end of an open side."""
    shape = []
    for side, first, last, by in zip(x.shape, begin, end, step, strict=True):
        fits = (
            0 <= first < _MOST
            and 0 < by < _MOST
            and (last == OPEN if side == OPEN else first < last <= side)
        )
        require(fits, name, f"a part of {x.shape}", f"{list(begin)} to {list(end)} by {list(step)}")
        shape.append(OPEN if side == OPEN else -(-(last - first) // by))
    integers = {"begin": tuple(begin), "end": tuple(end), "step": tuple(step)}
    return Node(Operation.SLICE, name, (x,), tuple(shape), integers=integers)


def broadcast(x: Node, shape: Shape, name: str) -> Node:
    """Sides of 1 repeated; known sides."""
    fits = known(shape) and broadcast_shape(x.shape, shape, name) == shape
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
    """RESIZE_NEAREST or RESIZE_BILINEAR; `factors` for the rows and columns, or else `size`."""
    count, *sides, channels = picture(x, name)
    if factors is not None:
        require(min(factors) >= 1, name, "factors of 1 or more", factors)
        sides = [
            side if side == OPEN else side * by for side, by in zip(sides, factors, strict=True)
        ]
    elif size is not None:
        require(min(size) >= 1, name, "a size of 1 or more", size)
        sides = list(size)
    shape = (count, *sides, channels)
    return Node(operation, name, (x,), shape, resizing=Resizing(coordinates, factors))


def _wider(side: int, by: int) -> int:
    return OPEN if side == OPEN else side + by
