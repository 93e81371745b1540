"""Readers for ONNX's elementwise operators, normalizations and reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.checks import MAX_FLOAT32
from facekit.graph.graph import Operation
from facekit.graph.read.onnx_arguments import OperatorArguments
from facekit.graph.read.onnx_layers import channels_last_input
from facekit.graph.read.onnx_patterns import match_gated, match_unit_length
from facekit.graph.read.onnx_shapes import channels_last_axes, identity_axes
from facekit.graph.read.onnx_values import Value
from facekit.types import Float32Array

OperatorReader: TypeAlias = Callable[[OperatorArguments], Value]
# Up to this operator set, Softmax flattens its input to two dimensions at `axis`.
_LAST_FLATTENING_OPSET = 12


def _elementwise(operation: Operation) -> OperatorReader:
    """Returns the reader of an operator with at least two inputs, not all of them constant."""

    def read(op: OperatorArguments) -> Value:
        first, *others = range(len(op.values))
        if not op.is_data(first):
            first, others = others[0], [first, *others[1:]]
        x = op.data(first)
        for position, index in enumerate(others, 1):
            name = op.name if position == len(others) else f"{op.name}/{position}"
            if op.is_data(index):
                x = _combine(operation, x, op.data(index), op, name)
            else:
                x = _combine_constant(operation, x, op.constant(index), op, name)
        return x

    return read


def _combine(operation: Operation, x: Value, y: Value, op: OperatorArguments, name: str) -> Value:
    a, b = op.layout.align(x, y, name)
    if operation is Operation.MULTIPLY:
        if (gated := match_gated(a.node, b.node, name)) is not None:
            return a.with_node(gated)
        for factor, other in ((a, b), (b, a)):
            unit = match_unit_length(factor.node, other.node, name, exponent=-1)
            if unit is not None:
                return factor.with_node(unit)
    if operation is Operation.DIVIDE:
        unit = match_unit_length(a.node, b.node, name, exponent=1)
        if unit is not None:
            return a.with_node(unit)
    return a.with_node(operations.elementwise(operation, a.node, b.node, name))


def _combine_constant(
    operation: Operation, x: Value, constant: Float32Array, op: OperatorArguments, name: str
) -> Value:
    x, constant = op.layout.align_constant(x, constant, name)
    gated = match_gated(x.node, constant, name) if operation is Operation.MULTIPLY else None
    if gated is not None:
        return x.with_node(gated)
    return x.with_node(operations.elementwise(operation, x.node, constant, name))


def _subtract(op: OperatorArguments) -> Value:
    if op.is_data(0) and op.is_data(1):
        return _combine(Operation.SUBTRACT, op.data(0), op.data(1), op, op.name)
    if op.is_data(0):
        return _combine_constant(Operation.ADD, op.data(0), -op.constant(1), op, op.name)
    x = op.data(1)
    negative = _scale(x, -1.0, f"{op.name}/negative")
    return _combine_constant(Operation.ADD, negative, op.constant(0), op, op.name)


def _divide(op: OperatorArguments) -> Value:
    if op.is_data(0) and op.is_data(1):
        return _combine(Operation.DIVIDE, op.data(0), op.data(1), op, op.name)
    if op.is_data(0):
        factor = np.float32(1) / op.constant(1)
        return _combine_constant(Operation.MULTIPLY, op.data(0), factor, op, op.name)
    x = op.data(1)
    inverse = x.with_node(operations.power(x.node, -1.0, f"{op.name}/inverse"))
    return _combine_constant(Operation.MULTIPLY, inverse, op.constant(0), op, op.name)


def _power(op: OperatorArguments) -> Value:
    x = op.data(0)
    return x.with_node(operations.power(x.node, op.number(1, "", 1.0), op.name))


def _fixed_power(exponent: float) -> OperatorReader:
    def read(op: OperatorArguments) -> Value:
        x = op.data(0)
        return x.with_node(operations.power(x.node, exponent, op.name))

    return read


def _negative(op: OperatorArguments) -> Value:
    return _scale(op.data(0), -1.0, op.name)


def _scale(x: Value, factor: float, name: str) -> Value:
    return x.with_node(operations.multiply(x.node, np.array([factor], np.float32), name))


def _activation(operation: Operation) -> OperatorReader:
    def read(op: OperatorArguments) -> Value:
        x = op.data(0)
        return x.with_node(operations.activation(operation, x.node, op.name))

    return read


def _prelu(op: OperatorArguments) -> Value:
    x, slope = op.layout.align_constant(channels_last_input(op), op.constant(1), op.name)
    channels = x.node.shape[-1]
    if slope.shape not in ((channels,), (1,)):
        raise ModelBuildError(
            f"{op.name}: one value for each of {channels} channels needed. Received: shape "
            f"{op.constant(1).shape}."
        )
    return x.with_node(operations.prelu(x.node, np.resize(slope, channels), op.name))


def _leaky_relu(op: OperatorArguments) -> Value:
    x, slope = op.data(0), op.attributes.number("alpha", 0.01)
    return x.with_node(operations.leaky_relu(x.node, slope, op.name))


def _elu(op: OperatorArguments) -> Value:
    """Computes max(x, 0) + alpha * min(exp(x) - 1, 0)."""
    x, name, alpha = op.data(0), op.name, op.attributes.number("alpha", 1.0)
    if alpha == 1:
        return x.with_node(operations.activation(Operation.ELU, x.node, name))
    elu = operations.activation(Operation.ELU, x.node, f"{name}/ELU")
    zero, factor = np.zeros(1, np.float32), np.array([alpha], np.float32)
    negative_part = operations.elementwise(Operation.MINIMUM, elu, zero, f"{name}/below")
    negative_part = operations.multiply(negative_part, factor, f"{name}/factor")
    positive_part = operations.relu(x.node, f"{name}/above")
    return x.with_node(operations.add(positive_part, negative_part, name))


def _clip(op: OperatorArguments) -> Value:
    x, minimum, maximum = op.data(0), op.number(1, "min", -np.inf), op.number(2, "max", np.inf)
    if np.isnan([minimum, maximum]).any():
        raise ModelBuildError(f"{op.name}: numbers needed as its bounds.")
    if minimum == 0 and maximum == 6:
        return x.with_node(operations.activation(Operation.RELU6, x.node, op.name))
    if minimum == 0 and maximum >= MAX_FLOAT32:
        return x.with_node(operations.relu(x.node, op.name))
    bounds = [
        (operation, bound)
        for operation, bound in ((Operation.MAXIMUM, minimum), (Operation.MINIMUM, maximum))
        if abs(bound) < MAX_FLOAT32
    ]
    for position, (operation, bound) in enumerate(bounds, 1):
        name = op.name if position == len(bounds) else f"{op.name}/{operation.value}"
        constant = np.array([bound], np.float32)
        x = x.with_node(operations.elementwise(operation, x.node, constant, name))
    return x


def _hard_sigmoid(op: OperatorArguments) -> Value:
    """Computes max(0, min(1, alpha * x + beta)) as ReLU6(6 * alpha * x + 6 * beta) / 6."""
    x, name = op.data(0), op.name
    factor = 6 * op.attributes.number("alpha", 0.2)
    if abs(factor - 1) > np.finfo(np.float32).eps:
        x = _scale(x, factor, f"{name}/factor")
    offset = np.array([6 * op.attributes.number("beta", 0.5)], np.float32)
    node = operations.add(x.node, offset, f"{name}/offset")
    node = operations.activation(Operation.RELU6, node, f"{name}/ReLU6")
    return _scale(x.with_node(node), 1 / 6, name)


def _softmax(op: OperatorArguments) -> Value:
    flattens = op.opset <= _LAST_FLATTENING_OPSET
    x = op.data(0)
    rank = len(x.axes)
    axis = op.axis(op.attributes.integer("axis", 1 if flattens else -1), rank)
    if flattens and any(size != 1 for size in x.shape[axis + 1 :]):
        raise ModelBuildError(
            f"{op.name}: before operator set 13 only a softmax over the last axis is known. "
            f"Received: axis {axis} of {rank}."
        )
    x = _move_axis_last(x, axis, op)
    return x.with_node(operations.softmax(x.node, op.name))


def _lp_normalization(op: OperatorArguments) -> Value:
    if op.attributes.integer("p", 2) != 2:
        raise ModelBuildError(f"{op.name}: p 2, unit length, needed.")
    x = op.data(0)
    x = _move_axis_last(x, op.axis(op.attributes.integer("axis", -1), len(x.axes)), op)
    return x.with_node(operations.unit_length(x.node, op.name))


def _move_axis_last(x: Value, axis: int, op: OperatorArguments) -> Value:
    """Returns x arranged so that the file's axis `axis` is the last axis of its node."""
    rank = len(x.axes)
    if x.image_shape is None and x.axes[axis] == rank - 1:
        return x
    # The axis holds all elements of a flattened image, whose order has no influence.
    if x.image_shape is not None and axis == 1:
        return x
    for axes in (identity_axes(rank), channels_last_axes(rank)):
        if axes[axis] == rank - 1:
            return Value(op.layout.to_axes(x, axes), axes)
    raise ModelBuildError(
        f"{op.name}: the channels or the last axis needed. Received: axis {axis}."
    )


def _reduction(
    operation: Operation, *, squares: bool = False, root: bool = False
) -> OperatorReader:
    def read(op: OperatorArguments) -> Value:
        name = op.name
        x = op.data(0)
        rank = len(x.axes)
        stated_axes = op.integers(1, "axes")
        does_nothing = op.attributes.integer("noop_with_empty_axes", 0)
        if not stated_axes and does_nothing:
            raise ModelBuildError(f"{name} must name the axes that it sums up.")
        axes = {op.axis(axis, rank) for axis in stated_axes or range(rank)}
        keep = op.attributes.integer("keepdims", 1) == 1
        if not keep and len(axes) == rank:
            raise ModelBuildError(f"{name} must leave an axis.")
        if axes == {0}:
            # Only the batch is reduced, so that the order of the other elements remains visible.
            x = op.layout.to_file_layout(x)
        node = operations.multiply(x.node, x.node, f"{name}/squares") if squares else x.node
        node_axes = sorted(x.axes[axis] for axis in axes)
        node = operations.reduce(
            operation, node, node_axes, f"{name}/sum" if root else name, keep=keep
        )
        node = operations.power(node, 0.5, name) if root else node
        remaining = [node_axis for axis, node_axis in enumerate(x.axes) if keep or axis not in axes]
        return Value(node, tuple(sorted(remaining).index(node_axis) for node_axis in remaining))

    return read


def _identity(op: OperatorArguments) -> Value:
    return op.data(0)


def _cast(op: OperatorArguments) -> Value:
    if op.attributes.integer("to", 0) != 1:
        raise ModelBuildError(f"{op.name}: what is computed must stay float32.")
    op.attributes.ignore("saturate")
    return op.data(0)


def _dropout(op: OperatorArguments) -> Value:
    """Skips Dropout, which is the identity outside training."""
    op.attributes.ignore("ratio", "seed")
    if op.has(2) and op.constant(2).any():
        raise ModelBuildError(f"{op.name} must not be in training.")
    return op.data(0)


ELEMENTWISE_READERS: dict[str, OperatorReader] = {
    "Add": _elementwise(Operation.ADD),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _divide,
    "Dropout": _dropout,
    "Elu": _elu,
    "Erf": _activation(Operation.ERF),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation(Operation.HARD_SWISH),
    "Identity": _identity,
    "LeakyRelu": _leaky_relu,
    "LpNormalization": _lp_normalization,
    "Max": _elementwise(Operation.MAXIMUM),
    "Min": _elementwise(Operation.MINIMUM),
    "Mul": _elementwise(Operation.MULTIPLY),
    "Neg": _negative,
    "PRelu": _prelu,
    "Pow": _power,
    "Reciprocal": _fixed_power(-1.0),
    "ReduceL2": _reduction(Operation.REDUCE_SUM, squares=True, root=True),
    "ReduceMax": _reduction(Operation.REDUCE_MAX),
    "ReduceMean": _reduction(Operation.REDUCE_MEAN),
    "ReduceSum": _reduction(Operation.REDUCE_SUM),
    "ReduceSumSquare": _reduction(Operation.REDUCE_SUM, squares=True),
    "Relu": _activation(Operation.RELU),
    "Sigmoid": _activation(Operation.SIGMOID),
    "Softmax": _softmax,
    "Sqrt": _fixed_power(0.5),
    "Sub": _subtract,
    "Sum": _elementwise(Operation.ADD),
}
