"""Readers for ONNX operators that move data: reshape, transpose, concatenate, slice, pad, ..."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import moves
from facekit.graph.checks import broadcast_shape, is_static
from facekit.graph.graph import DYNAMIC
from facekit.graph.read.onnx_arguments import OperatorArguments
from facekit.graph.read.onnx_layers import image_input
from facekit.graph.read.onnx_shapes import channels_last_axes, resolve_shape
from facekit.graph.read.onnx_values import Constant, Value

_PAD_VALUE = 2  # indices of a Pad's inputs
_PAD_AXES = 3


def _reshape(op: OperatorArguments) -> Value:
    x = op.data(0)
    keeps = op.attributes.integer("allowzero", 0) == 0
    target = op.integers(1, "shape") or []
    return _add_reshape(op, x, resolve_shape(x.shape, target, op.name, keeps=keeps))


def _flatten(op: OperatorArguments) -> Value:
    x = op.data(0)
    axis = op.attributes.integer("axis", 1)
    if axis not in (1, 1 - len(x.axes)):
        raise ModelBuildError(f"{op.name} must keep the batch axis: axis 1 needed.")
    return _add_reshape(op, x, resolve_shape(x.shape, [x.shape[0], -1], op.name))


def _squeeze(op: OperatorArguments) -> Value:
    x = op.data(0)
    rank = len(x.axes)
    stated_axes = op.integers(1, "axes")
    if stated_axes is None:
        stated_axes = [axis for axis, size in enumerate(x.shape) if size == 1]
    axes = {op.axis(axis, rank) for axis in stated_axes}
    if any(x.shape[axis] != 1 for axis in axes):
        raise ModelBuildError(
            f"{op.name}: dimensions of 1 needed. Received: {x.shape}, {stated_axes}."
        )
    return _add_reshape(op, x, tuple(x.shape[axis] for axis in range(rank) if axis not in axes))


def _unsqueeze(op: OperatorArguments) -> Value:
    x = op.data(0)
    stated_axes = op.integers(1, "axes") or []
    rank = len(x.axes) + len(stated_axes)
    axes, remaining = {op.axis(axis, rank) for axis in stated_axes}, iter(x.shape)
    if len(axes) != len(stated_axes):
        raise ModelBuildError(f"{op.name}: different axes needed. Received: {stated_axes}.")
    return _add_reshape(
        op, x, tuple(1 if axis in axes else next(remaining) for axis in range(rank))
    )


def _add_reshape(op: OperatorArguments, x: Value, shape: Sequence[int]) -> Value:
    if not shape:
        raise ModelBuildError(f"{op.name} must leave an axis.")
    return op.layout.reshape(x, tuple(shape), op.name)


def _transpose(op: OperatorArguments) -> Value:
    """Changes the order of the axes in the returned value only; no data are moved yet."""
    x = op.layout.to_file_layout(op.data(0))
    rank = len(x.axes)
    order = op.attributes.int_list("perm")
    order = list(range(rank))[::-1] if order is None else order
    if sorted(order) != list(range(rank)):
        raise ModelBuildError(f"{op.name}: an order of {rank} axes needed. Received: {order}.")
    return Value(x.node, tuple(x.axes[axis] for axis in order))


def _concatenate(op: OperatorArguments) -> Value:
    values = [op.layout.to_file_layout(op.data(index)) for index in range(len(op.values))]
    (axes, _), *_ = Counter(value.axes for value in values).most_common(1)
    nodes = [op.layout.to_axes(value, axes) for value in values]
    node_axis = axes[op.axis(op.attributes.integer("axis", 1), len(axes))]
    return Value(moves.concatenate(nodes, op.name, axis=node_axis), axes)


def _slice(op: OperatorArguments) -> Value:
    x = op.data(0)
    starts, ends = op.integers(1, "starts"), op.integers(2, "ends")
    if starts is None or ends is None:
        raise ModelBuildError(f"{op.name} must have starts and ends.")
    axes = op.integers(3, "axes") or list(range(len(starts)))
    steps = op.integers(4, "steps") or [1] * len(starts)
    parts = {
        op.axis(axis, len(x.axes)): (start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }
    return _add_slice(op, x, parts, op.name)


def _add_slice(
    op: OperatorArguments, x: Value, parts: dict[int, tuple[int, int, int]], name: str
) -> Value:
    """Slices x.  `parts` maps an axis of the file to (start, end, step)."""
    x = op.layout.to_file_layout(x)
    begin, end, step = [0] * len(x.axes), list(x.node.shape), [1] * len(x.axes)
    for axis, (first, last, stride) in parts.items():
        node_axis, size = x.axes[axis], x.shape[axis]
        if stride < 1 or (size == DYNAMIC and (first < 0 or last < np.iinfo(np.int32).max)):
            raise ModelBuildError(
                f"{name}: a part of {x.shape} that runs forwards, and to the end of a dynamic axis "
                f"needed. Received: {first} to {last} by {stride}."
            )
        if size != DYNAMIC:
            first, last, stride = slice(first, last, stride).indices(size)
        begin[node_axis], step[node_axis] = first, stride
        end[node_axis] = DYNAMIC if size == DYNAMIC else last
    if (begin, end, step) == ([0] * len(x.axes), list(x.node.shape), [1] * len(x.axes)):
        return x
    return x.with_node(moves.strided_slice(x.node, begin, end, name, step=step))


def _split(op: OperatorArguments) -> tuple[Value, ...]:
    x, attributes = op.data(0), op.attributes
    axis = op.axis(attributes.integer("axis", 0), len(x.axes))
    size, count = x.shape[axis], attributes.integer("num_outputs", len(op.outputs))
    sizes = op.integers(1, "split")
    if sizes is None and size != DYNAMIC and count == len(op.outputs):
        largest = -(-size // count)
        sizes = [min(largest, size - largest * index) for index in range(count)]
    if sizes is None or len(sizes) != len(op.outputs) or sum(sizes) != size or min(sizes) < 1:
        raise ModelBuildError(
            f"{op.name}: {len(op.outputs)} parts of a dimension of {size} needed. Received: "
            f"{sizes or count}."
        )
    ends = np.cumsum(sizes).tolist()
    return tuple(
        _add_slice(op, x, {axis: (end - size, end, 1)}, name)
        for name, end, size in zip(op.outputs, ends, sizes, strict=True)
        if name
    )


def _pad(op: OperatorArguments) -> Value:
    op.attributes.require_text("mode", "constant")
    x = image_input(op)
    pads = op.integers(1, "pads") or []
    axes = op.integers(_PAD_AXES, "axes") or list(range(len(pads) // 2))
    before, after = [0] * 4, [0] * 4
    for axis, first, last in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        before[op.axis(axis, 4)], after[op.axis(axis, 4)] = first, last
    if any((*before[:2], *after[:2])) or min(pads, default=0) < 0:
        raise ModelBuildError(
            f"{op.name}: pads of rows and columns, none below 0, needed. Received: {pads}."
        )
    value = op.number(_PAD_VALUE, "value", 0.0)
    around = (before[2], before[3], after[2], after[3])
    return Value(moves.pad(x, around, op.name, value=value), channels_last_axes(4))


def _expand(op: OperatorArguments) -> Value:
    x, target = op.data(0), tuple(op.integers(1, "shape") or ())
    shape = broadcast_shape(x.shape, target, op.name)
    return op.layout.broadcast(x, shape, op.name)


def _shape(op: OperatorArguments) -> Constant:
    x = op.data(0)
    if not is_static(x.shape):
        raise ModelBuildError(
            f"{op.name}: the shape {x.shape} must be known. Give the image's size."
        )
    start = op.attributes.integer("start", 0)
    end = op.attributes.integer("end", len(x.shape))
    return np.array(x.shape[start:end], np.int64)


DATA_MOVEMENT_READERS: dict[
    str, Callable[[OperatorArguments], Value | tuple[Value, ...] | Constant]
] = {
    "Concat": _concatenate,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
