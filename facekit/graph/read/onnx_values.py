"""The computed tensors of an ONNX file: a node of the graph and the order of its axes.

In ONNX the channels of an image are axis 1, in a `Graph` they are the last axis.  Each tensor is
therefore a node together with the index of each of the tensor's axes in that node.  A transpose in
the file changes only these indices.  A node is transposed only if another order is needed.
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
from facekit.graph.checks import broadcast_shape, is_static
from facekit.graph.graph import DYNAMIC, Node, Operation, Shape
from facekit.graph.read.onnx_shapes import Axes, channels_last_axes, identity_axes, reshape_axes

Constant: TypeAlias = NDArray[Any]
_MAX_RANK = 6  # LiteRT's limit for TRANSPOSE and BROADCAST_TO


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a node is identified by the object
class Value:
    """A computed tensor of the file."""

    node: Node
    axes: Axes
    image_shape: Shape | None = None
    """(height, width, channels) if the tensor is a flattened image.  The node's elements are then
    ordered by row, column and channel, but the file's by channel, row and column."""

    @property
    def shape(self) -> Shape:
        """The shape in the file's layout."""
        return tuple(self.node.shape[axis] for axis in self.axes)

    @property
    def element_order(self) -> NDArray[np.intp] | None:
        """The permutation of a flattened image's elements, or None for other tensors.

        Element n of the node is element element_order[n] in the file.
        """
        if self.image_shape is None:
            return None
        height, width, channels = self.image_shape
        indices = np.arange(prod(self.image_shape)).reshape(channels, height, width)
        return np.asarray(indices.transpose(1, 2, 0).ravel())

    def with_node(self, node: Node) -> Value:
        """Returns the value with another node of the same shape."""
        return replace(self, node=node)


class LayoutConverter:
    """Converts values to other shapes and axis orders.

    A node that a conversion creates is reused if the same conversion is needed again.
    """

    def __init__(self) -> None:
        self._converted: dict[tuple[Node, Shape, Axes | None], Node] = {}

    def to_axes(self, value: Value, axes: Axes) -> Node:
        """Returns the node of `value` with its axes at the indices `axes`.

        The node is transposed if necessary.
        """
        value = self.to_file_layout(value)
        node, order = value.node, _to_node_layout(value.axes, axes)
        shape = tuple(node.shape[axis] for axis in order)
        moved = [axis for axis in order if node.shape[axis] != 1]
        if value.axes == axes:
            return node
        if moved == sorted(moved) and shape.count(DYNAMIC) < 2:
            return self._reshape(node, shape)
        return self._transpose(node, order)

    def to_file_layout(self, value: Value) -> Value:
        """Returns a flattened image with its elements in the file's order.

        Any other value is returned unchanged.
        """
        if value.image_shape is None:
            return value
        image = self._reshape(value.node, (value.node.shape[0], *value.image_shape))
        transposed = self._transpose(image, (0, 3, 1, 2))
        return Value(self._reshape(transposed, value.node.shape), identity_axes(2))

    def reshape(self, value: Value, shape: Shape, name: str | None = None) -> Value:
        """Reshapes to `shape`, which is in the file's layout, without a transpose if possible."""
        if value.shape == shape:
            return value
        if len(shape) > _MAX_RANK:
            raise ModelBuildError(
                f"{name or value.node.name}: {_MAX_RANK} dimensions at most needed. Received: "
                f"{len(shape)}."
            )
        if value.image_shape is not None:
            height, width, channels = value.image_shape
            if shape[1:] == (channels, height, width):
                image = self._reshape(value.node, (shape[0], *value.image_shape), name)
                return Value(image, channels_last_axes(4))
            value = self.to_file_layout(value)
        before = value.shape
        axes = reshape_axes(before, value.axes, shape)
        is_picture = value.axes == channels_last_axes(4) and is_static(before)
        if axes is None and is_picture and shape == (before[0], prod(before[1:])):
            node = self._reshape(value.node, shape, name)
            return Value(node, identity_axes(2), value.node.shape[1:])
        node = value.node
        if axes is None:
            node, axes = self.to_axes(value, identity_axes(len(before))), identity_axes(len(shape))
        return Value(self._reshape(node, _to_node_layout(shape, axes), name), axes)

    def align_constant(self, x: Value, constant: Constant, name: str) -> tuple[Value, Constant]:
        """Returns the node and the constant, broadcast and reordered.

        An elementwise operation can then combine the two.
        """
        if x.image_shape is not None:
            element_order, constant_shape = (
                x.element_order,
                (1,) * (2 - constant.ndim) + constant.shape,
            )
            if constant_shape == (1, 1):
                return x, constant.reshape(-1)
            if constant_shape == x.shape:
                return x, constant.reshape(-1)[element_order]
            x = self.to_file_layout(x)
        shape = broadcast_shape(x.shape, constant.shape, name)
        x = self.broadcast(x, shape, f"{name}/repeated")
        constant = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
        constant = constant.transpose(np.argsort(x.axes))
        return x, constant.reshape(-1) if prod(constant.shape[:-1]) == 1 else constant

    def broadcast(self, x: Value, shape: Shape, name: str) -> Value:
        """Adds leading dimensions, and repeats dimensions of size 1, up to `shape`."""
        x = self._with_rank(self.to_file_layout(x), len(shape))
        if x.shape == shape:
            return x
        return x.with_node(moves.broadcast(x.node, _to_node_layout(shape, x.axes), name))

    def align(self, x: Value, y: Value, name: str) -> tuple[Value, Value]:
        """Returns two values with equal axis orders, for an elementwise operation of both."""
        shape = broadcast_shape(x.shape, y.shape, name)
        x = _without_broadcast(x, y)
        y = _without_broadcast(y, x)
        if x.image_shape != y.image_shape and 1 not in (x.shape[-1], y.shape[-1]):
            x, y = self.to_file_layout(x), self.to_file_layout(y)
        x, y = self._with_rank(x, len(shape)), self._with_rank(y, len(shape))
        if x.image_shape is not None or y.image_shape is not None:
            return (
                (x, y) if x.image_shape is not None else (replace(x, image_shape=y.image_shape), y)
            )
        if x.axes == y.axes:
            return x, y
        first = max(x, y, key=lambda value: (sum(size != 1 for size in value.shape), value.axes))
        a, b = (self.to_axes(value, first.axes) for value in (x, y))
        return Value(a, first.axes), Value(b, first.axes)

    def _with_rank(self, value: Value, rank: int) -> Value:
        return self.reshape(value, (1,) * (rank - len(value.shape)) + value.shape)

    def _transpose(self, node: Node, element_order: Axes) -> Node:
        key = (node, node.shape, element_order)
        if key not in self._converted:
            name = f"{node.name}/transposed_{''.join(map(str, element_order))}"
            self._converted[key] = moves.transpose(node, element_order, name)
        return self._converted[key]

    def _reshape(self, node: Node, shape: Shape, name: str | None = None) -> Node:
        """Reshapes a node.  Consecutive reshapes become one."""
        while node.operation is Operation.RESHAPE and node.shape != shape:
            (node,) = node.inputs
        if node.shape == shape:
            return node
        if name is not None:
            return _reshape(node, shape, name)
        key = (node, shape, None)
        if key not in self._converted:
            name = f"{node.name}/shaped_{'x'.join(map(str, shape))}"
            self._converted[key] = _reshape(node, shape, name)
        return self._converted[key]


def _reshape(node: Node, shape: Shape, name: str) -> Node:
    """Reshapes a node.  A reduction is created anew if only its kept axes of size 1 differ."""
    if node.operation in operations.REDUCTIONS:
        (x,), axes = node.inputs, node.int_attributes["axes"]
        keep = len(node.shape) < len(x.shape)
        reduced = operations.reduce(node.operation, x, axes, name, keep=keep)
        if reduced.shape == shape:
            return reduced
    return moves.reshape(node, shape, name)


def _to_node_layout(dimensions: Sequence[int], axes: Axes) -> tuple[int, ...]:
    """Returns the file's dimensions in the order of the node's axes."""
    placed = [0] * len(axes)
    for index, dimension in zip(axes, dimensions, strict=True):
        placed[index] = dimension
    return tuple(placed)


def _without_broadcast(x: Value, y: Value) -> Value:
    """Returns x before its BROADCAST if y has the same shape, because y then determines the
    shape."""
    if x.node.operation is not Operation.BROADCAST or x.shape != y.shape:
        return x
    return x.with_node(x.node.inputs[0])
