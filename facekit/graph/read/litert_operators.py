"""LiteRT's operators that calculate, as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from facekit.graph import moves, operations
from facekit.graph.graph import NO_PADS, OPEN, Node, Operation, Pads
from facekit.graph.read.litert_given import Given, Read, two
from facekit.types import Float32Array

_MINUS_ONE = np.full(1, -1, np.float32)


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
        stride=two(options.StrideH(), options.StrideW()),
        dilation=two(options.DilationHFactor(), options.DilationWFactor()),
        pads=_pads(options),
    )


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


def _pool(make: Callable[..., Node]) -> Read:
    def read(given: Given) -> Node:
        options = given.options("Pool2DOptions")
        size = two(options.FilterHeight(), options.FilterWidth())
        stride = two(options.StrideH(), options.StrideW())
        return make(given.data(), size, given.name, stride=stride, pads=_pads(options))

    return read


def _elementwise(operation: Operation) -> Read:
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
    negative = operations.multiply(x, _MINUS_ONE, f"{given.name}/negative")
    return operations.add(negative, _beside(x, given.floats(0)), given.name)


def _divide(given: Given) -> Node:
    a, b = given.values
    if isinstance(a, Node) and isinstance(b, Node):
        return operations.elementwise(Operation.DIVIDE, a, b, given.name)
    if isinstance(a, Node):
        return operations.multiply(a, _beside(a, np.float32(1) / given.floats(1)), given.name)
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


def _power(exponent: float) -> Read:
    return lambda given: operations.power(given.data(), exponent, given.name)


def _power_of_constant(given: Given) -> Node:
    return operations.power(given.data(), given.floats(1).item(), given.name)


def _negative(given: Given) -> Node:
    return operations.multiply(given.data(), _MINUS_ONE, given.name)


def _activation(operation: Operation) -> Read:
    return lambda given: operations.activation(operation, given.data(), given.name)


def _leaky_relu(given: Given) -> Node:
    return operations.leaky_relu(
        given.data(), given.options("LeakyReluOptions").Alpha(), given.name
    )


def _softmax(given: Given) -> Node:
    if given.options("SoftmaxOptions").Beta() != 1:
        raise ValueError("a factor before the exponential function")
    return operations.softmax(given.data(), given.name)


def _reduction(operation: Operation) -> Read:
    def read(given: Given) -> Node:
        x, keep = given.data(), given.options("ReducerOptions").KeepDims()
        axes = given.axes(1, len(x.shape))
        return operations.reduced(operation, x, axes, given.name, keep=keep)

    return read


CALCULATING: dict[str, Read] = {
    "ADD": _elementwise(Operation.ADD),
    "AVERAGE_POOL_2D": _pool(operations.average_pool),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DIV": _divide,
    "ELU": _activation(Operation.ELU),
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
    "POW": _power_of_constant,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction(Operation.GREATEST),
    "RELU": _activation(Operation.RELU),
    "RELU6": _activation(Operation.RELU6),
    "RSQRT": _power(-0.5),
    "SOFTMAX": _softmax,
    "SQRT": _power(0.5),
    "SQUARE": _power(2),
    "SUB": _subtract,
    "SUM": _reduction(Operation.SUM),
}
