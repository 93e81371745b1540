"""What the tensors of an ONNX file are here: nodes, and the order of their sides.

ONNX has the channels of a picture second, we have them last.  So each tensor is a node and the
place of each of its sides there; what transposes it in the file changes these places alone, and
a node is transposed only where another order is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.checks import broadcast_shape, known
from facekit.graph.graph import OPEN, Node, Operation, Shape
from facekit.graph.read.onnx_shapes import Axes, channels_last, plain, regrouped

Constant: TypeAlias = NDArray[Any]
_MOST_SIDES = 6  # of what LiteRT transposes and repeats


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a node is known by its identity
class Value:
    """A tensor of the file that is computed."""

    node: Node
    axes: Axes
    picture: Shape | None = None
    """height, width, channels of a flattened picture: the node's numbers are in this order, the
    file's by channels first"""

    @property
    def shape(self) -> Shape:
        """In the file."""
        return tuple(self.node.shape[place] for place in self.axes)

    @property
    def order(self) -> NDArray[np.intp] | None:
        """Of a flattened picture: the node's numbers are the file's at these places."""
        if self.picture is None:
            return None
        height, width, channels = self.picture
        places = np.arange(prod(self.picture)).reshape(channels, height, width)
        return np.asarray(places.transpose(1, 2, 0).ravel())

    def with_node(self, node: Node) -> Value:
        """Of the same shape."""
        return replace(self, node=node)


class Arranger:
    """Gives values other shapes and orders of sides, each once however often it is needed."""

    def __init__(self) -> None:
        self._made: dict[tuple[Node, Shape, Axes | None], Node] = {}

    def arranged(self, value: Value, axes: Axes) -> Node:
        """The node of `value` with its sides at these places."""
        value = self.in_files_order(value)
        node, order = value.node, _placed(value.axes, axes)
        shape = tuple(node.shape[place] for place in order)
        moved = [place for place in order if node.shape[place] != 1]
        if value.axes == axes:
            return node
        if moved == sorted(moved) and shape.count(OPEN) < 2:
            return self._reshaped(node, shape)
        return self._transposed(node, order)

    def in_files_order(self, value: Value) -> Value:
        """A flattened picture with its numbers by channels first; any other as it is."""
        if value.picture is None:
            return value
        whole = self._reshaped(value.node, (value.node.shape[0], *value.picture))
        turned = self._transposed(whole, (0, 3, 1, 2))
        return Value(self._reshaped(turned, value.node.shape), plain(2))

    def reshaped(self, value: Value, shape: Shape, name: str | None = None) -> Value:
        """With the sides of `shape`, in the file's order, without transposing where that goes."""
        if value.shape == shape:
            return value
        if len(shape) > _MOST_SIDES:
            raise ModelBuildError(
                f"{name or value.node.name}: {_MOST_SIDES} sides at most needed. Received: "
                f"{len(shape)}."
            )
        if value.picture is not None:
            height, width, channels = value.picture
            if shape[1:] == (channels, height, width):
                whole = self._reshaped(value.node, (shape[0], *value.picture), name)
                return Value(whole, channels_last(4))
            value = self.in_files_order(value)
        before = value.shape
        axes = regrouped(before, value.axes, shape)
        is_picture = value.axes == channels_last(4) and known(before)
        if axes is None and is_picture and shape == (before[0], prod(before[1:])):
            node = self._reshaped(value.node, shape, name)
            return Value(node, plain(2), value.node.shape[1:])
        node = value.node
        if axes is None:
            node, axes = self.arranged(value, plain(len(before))), plain(len(shape))
        return Value(self._reshaped(node, _placed(shape, axes), name), axes)

    def with_constant(self, x: Value, constant: Constant, name: str) -> tuple[Value, Constant]:
        """Both as an operation of a node and a constant reads them."""
        if x.picture is not None:
            order, sides = x.order, (1,) * (2 - constant.ndim) + constant.shape
            if sides == (1, 1):
                return x, constant.reshape(-1)
            if sides == x.shape:
                return x, constant.reshape(-1)[order]
            x = self.in_files_order(x)
        shape = broadcast_shape(x.shape, constant.shape, name)
        x = self.repeated(x, shape, f"{name}/repeated")
        constant = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
        constant = constant.transpose(np.argsort(x.axes))
        return x, constant.reshape(-1) if prod(constant.shape[:-1]) == 1 else constant

    def repeated(self, x: Value, shape: Shape, name: str) -> Value:
        """Sides of 1, and those that are not there, as often as `shape` says."""
        x = self._lifted(self.in_files_order(x), len(shape))
        if x.shape == shape:
            return x
        return x.with_node(moves.broadcast(x.node, _placed(shape, x.axes), name))

    def together(self, x: Value, y: Value, name: str) -> tuple[Value, Value]:
        """Two values with their sides in one order, as an operation of two nodes reads them."""
        shape = broadcast_shape(x.shape, y.shape, name)
        x = _once(x, y)
        y = _once(y, x)
        if x.picture != y.picture and 1 not in (x.shape[-1], y.shape[-1]):
            x, y = self.in_files_order(x), self.in_files_order(y)
        x, y = self._lifted(x, len(shape)), self._lifted(y, len(shape))
        if x.picture is not None or y.picture is not None:
            return (x, y) if x.picture is not None else (replace(x, picture=y.picture), y)
        if x.axes == y.axes:
            return x, y
        first = max(x, y, key=lambda one: (sum(side != 1 for side in one.shape), one.axes))
        a, b = (self.arranged(one, first.axes) for one in (x, y))
        return Value(a, first.axes), Value(b, first.axes)

    def _lifted(self, value: Value, rank: int) -> Value:
        return self.reshaped(value, (1,) * (rank - len(value.shape)) + value.shape)

    def _transposed(self, node: Node, order: Axes) -> Node:
        key = (node, node.shape, order)
        if key not in self._made:
            name = f"{node.name}/transposed_{''.join(map(str, order))}"
            self._made[key] = moves.transpose(node, order, name)
        return self._made[key]

    def _reshaped(self, node: Node, shape: Shape, name: str | None = None) -> Node:
        """Through one node at most."""
        while node.operation is Operation.RESHAPE and node.shape != shape:
            (node,) = node.inputs
        if node.shape == shape:
            return node
        if name is not None:
            return _reshaped(node, shape, name)
        key = (node, shape, None)
        if key not in self._made:
            name = f"{node.name}/shaped_{'x'.join(map(str, shape))}"
            self._made[key] = _reshaped(node, shape, name)
        return self._made[key]


def _reshaped(node: Node, shape: Shape, name: str) -> Node:
    """A sum or mean gives its shape itself, with or without sides of 1."""
    if node.operation in operations.REDUCTIONS:
        (x,), axes = node.inputs, node.integers["axes"]
        keep = len(node.shape) < len(x.shape)
        other = operations.reduced(node.operation, x, axes, name, keep=keep)
        if other.shape == shape:
            return other
    return moves.reshape(node, shape, name)


def _placed(sides: Sequence[int], axes: Axes) -> tuple[int, ...]:
    """Each side of the file at its place in a node."""
    placed = [0] * len(axes)
    for place, side in zip(axes, sides, strict=True):
        placed[place] = side
    return tuple(placed)


def _once(x: Value, y: Value) -> Value:
    """Without what repeats it, where the other is as large."""
    if x.node.operation is not Operation.BROADCAST or x.shape != y.shape:
        return x
    return x.with_node(x.node.inputs[0])
