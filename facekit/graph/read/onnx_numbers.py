"""ONNX's operators that treat each number alike, or that sum numbers up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.checks import MOST
from facekit.graph.graph import Operation
from facekit.graph.read.onnx_layers import with_channels
from facekit.graph.read.onnx_patterns import hard_swish_of, unit_length_of
from facekit.graph.read.onnx_settings import Arguments
from facekit.graph.read.onnx_shapes import channels_last, plain
from facekit.graph.read.onnx_values import Value
from facekit.types import Float32Array

_Make: TypeAlias = Callable[[Arguments], Value]
_LAST_COERCED_OPSET = 12  # of softmax, which made two sides of all


def _elementwise(operation: Operation) -> _Make:
    """Of two inputs or more, one of which may be constant."""

    def make(given: Arguments) -> Value:
        first, *others = range(len(given.values))
        if not given.is_data(first):
            first, others = others[0], [first, *others[1:]]
        x = given.data(first)
        for count, place in enumerate(others, 1):
            name = given.name if count == len(others) else f"{given.name}/{count}"
            if given.is_data(place):
                x = _of_two(operation, x, given.data(place), given, name)
            else:
                x = _with_constant(operation, x, given.constant(place), given, name)
        return x

    return make


def _of_two(operation: Operation, x: Value, y: Value, given: Arguments, name: str) -> Value:
    a, b = given.arranger.together(x, y, name)
    if operation is Operation.MULTIPLY:
        if (swish := hard_swish_of(a.node, b.node, name)) is not None:
            return a.with_node(swish)
        for one, other in ((a, b), (b, a)):
            if (unit := unit_length_of(one.node, other.node, -1, name)) is not None:
                return one.with_node(unit)
    elif operation is Operation.DIVIDE:
        unit = unit_length_of(a.node, b.node, 1, name)
        if unit is not None:
            return a.with_node(unit)
    return a.with_node(operations.elementwise(operation, a.node, b.node, name))


def _with_constant(
    operation: Operation, x: Value, constant: Float32Array, given: Arguments, name: str
) -> Value:
    x, constant = given.arranger.with_constant(x, constant, name)
    swish = hard_swish_of(x.node, constant, name) if operation is Operation.MULTIPLY else None
    if swish is not None:
        return x.with_node(swish)
    return x.with_node(operations.elementwise(operation, x.node, constant, name))


def _subtract(given: Arguments) -> Value:
    if given.is_data(0) and given.is_data(1):
        return _of_two(Operation.SUBTRACT, given.data(0), given.data(1), given, given.name)
    if given.is_data(0):
        return _with_constant(Operation.ADD, given.data(0), -given.constant(1), given, given.name)
    x = given.data(1)
    negative = _scaled(x, -1.0, f"{given.name}/negative")
    return _with_constant(Operation.ADD, negative, given.constant(0), given, given.name)


def _divide(given: Arguments) -> Value:
    if given.is_data(0) and given.is_data(1):
        return _of_two(Operation.DIVIDE, given.data(0), given.data(1), given, given.name)
    if given.is_data(0):
        factor = np.float32(1) / given.constant(1)
        return _with_constant(Operation.MULTIPLY, given.data(0), factor, given, given.name)
    x = given.data(1)
    inverse = x.with_node(operations.power(x.node, -1.0, f"{given.name}/inverse"))
    return _with_constant(Operation.MULTIPLY, inverse, given.constant(0), given, given.name)


def _power(given: Arguments) -> Value:
    x = given.data(0)
    return x.with_node(operations.power(x.node, given.number(1, "", 1.0), given.name))


def _fixed_power(exponent: float) -> _Make:
    def make(given: Arguments) -> Value:
        x = given.data(0)
        return x.with_node(operations.power(x.node, exponent, given.name))

    return make


def _negative(given: Arguments) -> Value:
    return _scaled(given.data(0), -1.0, given.name)


def _scaled(x: Value, factor: float, name: str) -> Value:
    return x.with_node(operations.multiply(x.node, np.array([factor], np.float32), name))


def _activation(operation: Operation) -> _Make:
    def make(given: Arguments) -> Value:
        x = given.data(0)
        return x.with_node(operations.activation(operation, x.node, given.name))

    return make


def _prelu(given: Arguments) -> Value:
    x, slope = given.arranger.with_constant(with_channels(given), given.constant(1), given.name)
    channels = x.node.shape[-1]
    if slope.shape not in ((channels,), (1,)):
        raise ModelBuildError(
            f"{given.name}: one number for each of {channels} channels needed. Received: shape "
            f"{given.constant(1).shape}."
        )
    return x.with_node(operations.prelu(x.node, np.resize(slope, channels), given.name))


def _leaky_relu(given: Arguments) -> Value:
    x, slope = given.data(0), given.settings.number("alpha", 0.01)
    return x.with_node(operations.leaky_relu(x.node, slope, given.name))


def _elu(given: Arguments) -> Value:
    """max(x, 0) + alpha * min(exp(x) - 1, 0)."""
    x, name, alpha = given.data(0), given.name, given.settings.number("alpha", 1.0)
    if alpha == 1:
        return x.with_node(operations.activation(Operation.ELU, x.node, name))
    whole = operations.activation(Operation.ELU, x.node, f"{name}/ELU")
    zero, factor = np.zeros(1, np.float32), np.array([alpha], np.float32)
    below = operations.elementwise(Operation.MINIMUM, whole, zero, f"{name}/below")
    below = operations.multiply(below, factor, f"{name}/factor")
    above = operations.relu(x.node, f"{name}/above")
    return x.with_node(operations.add(above, below, name))


def _clip(given: Arguments) -> Value:
    x, least, most = given.data(0), given.number(1, "min", -np.inf), given.number(2, "max", np.inf)
    if np.isnan([least, most]).any():
        raise ModelBuildError(f"{given.name}: numbers needed as its bounds.")
    if least == 0 and most == 6:
        return x.with_node(operations.activation(Operation.RELU6, x.node, given.name))
    if least == 0 and most >= MOST:
        return x.with_node(operations.relu(x.node, given.name))
    bounds = [
        (operation, bound)
        for operation, bound in ((Operation.MAXIMUM, least), (Operation.MINIMUM, most))
        if abs(bound) < MOST
    ]
    for count, (operation, bound) in enumerate(bounds, 1):
        name = given.name if count == len(bounds) else f"{given.name}/{operation.value}"
        constant = np.array([bound], np.float32)
        x = x.with_node(operations.elementwise(operation, x.node, constant, name))
    return x


def _hard_sigmoid(given: Arguments) -> Value:
    """max(0, min(1, alpha * x + beta)) = ReLU6(6 * alpha * x + 6 * beta) / 6."""
    x, name = given.data(0), given.name
    factor = 6 * given.settings.number("alpha", 0.2)
    if abs(factor - 1) > np.finfo(np.float32).eps:
        x = _scaled(x, factor, f"{name}/factor")
    offset = np.array([6 * given.settings.number("beta", 0.5)], np.float32)
    node = operations.add(x.node, offset, f"{name}/offset")
    node = operations.activation(Operation.RELU6, node, f"{name}/ReLU6")
    return _scaled(x.with_node(node), 1 / 6, name)


def _softmax(given: Arguments) -> Value:
    coerced = given.opset <= _LAST_COERCED_OPSET
    x = given.data(0)
    rank = len(x.axes)
    axis = given.axis(given.settings.integer("axis", 1 if coerced else -1), rank)
    if coerced and any(side != 1 for side in x.shape[axis + 1 :]):
        raise ModelBuildError(
            f"{given.name}: before operator set 13 a softmax over the last side alone is known. "
            f"Received: axis {axis} of {rank}."
        )
    x = _with_last(x, axis, given)
    return x.with_node(operations.softmax(x.node, given.name))


def _lp_normalization(given: Arguments) -> Value:
    if given.settings.integer("p", 2) != 2:
        raise ModelBuildError(f"{given.name}: p 2, unit length, needed.")
    x = given.data(0)
    x = _with_last(x, given.axis(given.settings.integer("axis", -1), len(x.axes)), given)
    return x.with_node(operations.unit_length(x.node, given.name))


def _with_last(x: Value, axis: int, given: Arguments) -> Value:
    """With the file's side `axis` last in the node."""
    rank = len(x.axes)
    if x.picture is None and x.axes[axis] == rank - 1:
        return x
    if x.picture is not None and axis == 1:  # of all its numbers, whatever their order
        return x
    for axes in (plain(rank), channels_last(rank)):
        if axes[axis] == rank - 1:
            return Value(given.arranger.arranged(x, axes), axes)
    raise ModelBuildError(f"{given.name}: channels or the last side needed. Received: axis {axis}.")


def _reduced(operation: Operation, *, squares: bool = False, root: bool = False) -> _Make:
    def make(given: Arguments) -> Value:
        name = given.name
        x = given.data(0)
        rank = len(x.axes)
        listed = given.integers(1, "axes")
        does_nothing = given.settings.integer("noop_with_empty_axes", 0)
        if not listed and does_nothing:
            raise ModelBuildError(f"{name} must name the axes that it sums up.")
        axes = {given.axis(axis, rank) for axis in listed or range(rank)}
        keep = given.settings.integer("keepdims", 1) == 1
        if not keep and len(axes) == rank:
            raise ModelBuildError(f"{name} must leave a side.")
        if axes == {0}:
            x = given.arranger.in_files_order(x)  # of whose numbers none is summed up
        node = operations.multiply(x.node, x.node, f"{name}/squares") if squares else x.node
        places = sorted(x.axes[axis] for axis in axes)
        node = operations.reduced(
            operation, node, places, f"{name}/sum" if root else name, keep=keep
        )
        node = operations.power(node, 0.5, name) if root else node
        left = [place for axis, place in enumerate(x.axes) if keep or axis not in axes]
        return Value(node, tuple(sorted(left).index(place) for place in left))

    return make


def _same(given: Arguments) -> Value:
    return given.data(0)


def _cast(given: Arguments) -> Value:
    if given.settings.integer("to", 0) != 1:
        raise ModelBuildError(f"{given.name}: what is computed must stay float32.")
    given.settings.pass_over("saturate")
    return given.data(0)


def _dropout(given: Arguments) -> Value:
    """Which does nothing but in training."""
    given.settings.pass_over("ratio", "seed")
    if given.has(2) and given.constant(2).any():
        raise ModelBuildError(f"{given.name} must not be in training.")
    return given.data(0)


NUMBERS: dict[str, _Make] = {
    "Add": _elementwise(Operation.ADD),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _divide,
    "Dropout": _dropout,
    "Elu": _elu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation(Operation.HARD_SWISH),
    "Identity": _same,
    "LeakyRelu": _leaky_relu,
    "LpNormalization": _lp_normalization,
    "Max": _elementwise(Operation.MAXIMUM),
    "Min": _elementwise(Operation.MINIMUM),
    "Mul": _elementwise(Operation.MULTIPLY),
    "Neg": _negative,
    "PRelu": _prelu,
    "Pow": _power,
    "Reciprocal": _fixed_power(-1.0),
    "ReduceL2": _reduced(Operation.SUM, squares=True, root=True),
    "ReduceMax": _reduced(Operation.GREATEST),
    "ReduceMean": _reduced(Operation.MEAN),
    "ReduceSum": _reduced(Operation.SUM),
    "ReduceSumSquare": _reduced(Operation.SUM, squares=True),
    "Relu": _activation(Operation.RELU),
    "Sigmoid": _activation(Operation.SIGMOID),
    "Softmax": _softmax,
    "Sqrt": _fixed_power(0.5),
    "Sub": _subtract,
    "Sum": _elementwise(Operation.ADD),
}
