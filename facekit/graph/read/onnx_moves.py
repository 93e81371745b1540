"""ONNX's operators that put numbers elsewhere, leave some out, or repeat them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import moves
from facekit.graph.checks import broadcast_shape, known
from facekit.graph.graph import OPEN
from facekit.graph.read.onnx_layers import picture
from facekit.graph.read.onnx_settings import Arguments
from facekit.graph.read.onnx_shapes import channels_last, target_shape
from facekit.graph.read.onnx_values import Constant, Value

_PAD_VALUE = 2  # places among a Pad's inputs
_PAD_AXES = 3


def _reshape(given: Arguments) -> Value:
    x = given.data(0)
    keeps = given.settings.integer("allowzero", 0) == 0
    target = given.integers(1, "shape") or []
    return _reshaped(given, x, target_shape(x.shape, target, given.name, keeps=keeps))


def _flatten(given: Arguments) -> Value:
    x = given.data(0)
    axis = given.settings.integer("axis", 1)
    if axis not in (1, 1 - len(x.axes)):
        raise ModelBuildError(f"{given.name} must keep the pictures apart: axis 1 needed.")
    return _reshaped(given, x, target_shape(x.shape, [x.shape[0], -1], given.name))


def _squeeze(given: Arguments) -> Value:
    x = given.data(0)
    rank = len(x.axes)
    listed = given.integers(1, "axes")
    if listed is None:
        listed = [axis for axis, side in enumerate(x.shape) if side == 1]
    axes = {given.axis(axis, rank) for axis in listed}
    if any(x.shape[axis] != 1 for axis in axes):
        raise ModelBuildError(f"{given.name}: sides of 1 needed. Received: {x.shape}, {listed}.")
    return _reshaped(given, x, tuple(x.shape[axis] for axis in range(rank) if axis not in axes))


def _unsqueeze(given: Arguments) -> Value:
    x = given.data(0)
    listed = given.integers(1, "axes") or []
    rank = len(x.axes) + len(listed)
    axes, left = {given.axis(axis, rank) for axis in listed}, iter(x.shape)
    if len(axes) != len(listed):
        raise ModelBuildError(f"{given.name}: different axes needed. Received: {listed}.")
    return _reshaped(given, x, tuple(1 if axis in axes else next(left) for axis in range(rank)))


def _reshaped(given: Arguments, x: Value, shape: Sequence[int]) -> Value:
    if not shape:
        raise ModelBuildError(f"{given.name} must leave a side.")
    return given.arranger.reshaped(x, tuple(shape), given.name)


def _transpose(given: Arguments) -> Value:
    """Which moves nothing yet."""
    x = given.arranger.in_files_order(given.data(0))
    rank = len(x.axes)
    order = given.settings.listed("perm")
    order = list(range(rank))[::-1] if order is None else order
    if sorted(order) != list(range(rank)):
        raise ModelBuildError(f"{given.name}: an order of {rank} sides needed. Received: {order}.")
    return Value(x.node, tuple(x.axes[place] for place in order))


def _concatenate(given: Arguments) -> Value:
    values = [given.arranger.in_files_order(given.data(at)) for at in range(len(given.values))]
    (axes, _), *_ = Counter(value.axes for value in values).most_common(1)
    nodes = [given.arranger.arranged(value, axes) for value in values]
    place = axes[given.axis(given.settings.integer("axis", 1), len(axes))]
    return Value(moves.concatenate(nodes, given.name, axis=place), axes)


def _slice(given: Arguments) -> Value:
    x = given.data(0)
    starts, ends = given.integers(1, "starts"), given.integers(2, "ends")
    if starts is None or ends is None:
        raise ModelBuildError(f"{given.name} must have starts and ends.")
    axes = given.integers(3, "axes") or list(range(len(starts)))
    steps = given.integers(4, "steps") or [1] * len(starts)
    parts = {
        given.axis(axis, len(x.axes)): (start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }
    return _cut(given, x, parts, given.name)


def _cut(given: Arguments, x: Value, parts: dict[int, tuple[int, int, int]], name: str) -> Value:
    """Of each of the file's sides, from, up to, by."""
    x = given.arranger.in_files_order(x)
    begin, end, step = [0] * len(x.axes), list(x.node.shape), [1] * len(x.axes)
    for axis, (first, last, by) in parts.items():
        place, side = x.axes[axis], x.shape[axis]
        if by < 1 or (side == OPEN and (first < 0 or last < np.iinfo(np.int32).max)):
            raise ModelBuildError(
                f"{name}: a part of {x.shape} that runs forwards, and to the end of an open side, "
                f"needed. Received: {first} to {last} by {by}."
            )
        if side != OPEN:
            first, last, by = slice(first, last, by).indices(side)
        begin[place], step[place] = first, by
        end[place] = OPEN if side == OPEN else last
    if (begin, end, step) == ([0] * len(x.axes), list(x.node.shape), [1] * len(x.axes)):
        return x
    return x.with_node(moves.cut(x.node, begin, end, name, step=step))


def _split(given: Arguments) -> tuple[Value, ...]:
    x, settings = given.data(0), given.settings
    axis = given.axis(settings.integer("axis", 0), len(x.axes))
    side, count = x.shape[axis], settings.integer("num_outputs", len(given.outputs))
    sizes = given.integers(1, "split")
    if sizes is None and side != OPEN and count == len(given.outputs):
        most = -(-side // count)
        sizes = [min(most, side - most * place) for place in range(count)]
    if sizes is None or len(sizes) != len(given.outputs) or sum(sizes) != side or min(sizes) < 1:
        raise ModelBuildError(
            f"{given.name}: {len(given.outputs)} parts of a side of {side} needed. Received: "
            f"{sizes or count}."
        )
    ends = np.cumsum(sizes).tolist()
    return tuple(
        _cut(given, x, {axis: (end - size, end, 1)}, name)
        for name, end, size in zip(given.outputs, ends, sizes, strict=True)
        if name
    )


def _pad(given: Arguments) -> Value:
    given.settings.require_text("mode", "constant")
    x = picture(given)
    pads = given.integers(1, "pads") or []
    axes = given.integers(_PAD_AXES, "axes") or list(range(len(pads) // 2))
    before, after = [0] * 4, [0] * 4
    for axis, first, last in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        before[given.axis(axis, 4)], after[given.axis(axis, 4)] = first, last
    if any((*before[:2], *after[:2])) or min(pads, default=0) < 0:
        raise ModelBuildError(
            f"{given.name}: pads of rows and columns, none below 0, needed. Received: {pads}."
        )
    value = given.number(_PAD_VALUE, "value", 0.0)
    around = (before[2], before[3], after[2], after[3])
    return Value(moves.pad(x, around, given.name, value=value), channels_last(4))


def _expand(given: Arguments) -> Value:
    x, target = given.data(0), tuple(given.integers(1, "shape") or ())
    shape = broadcast_shape(x.shape, target, given.name)
    return given.arranger.repeated(x, shape, given.name)


def _shape(given: Arguments) -> Constant:
    x = given.data(0)
    if not known(x.shape):
        raise ModelBuildError(
            f"{given.name}: the shape {x.shape} must be known. Give the picture's size."
        )
    start = given.settings.integer("start", 0)
    end = given.settings.integer("end", len(x.shape))
    return np.array(x.shape[start:end], np.int64)


MOVES: dict[str, Callable[[Arguments], Value | tuple[Value, ...] | Constant]] = {
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
