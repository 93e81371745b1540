"""Readers for LiteRT operators that compute: layers, pools, elementwise operators, reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from facekit.graph import moves, operations
from facekit.graph.graph import DYNAMIC, NO_PADS, Node, Operation, Pads
from facekit.graph.read.litert_arguments import OperatorArguments, OperatorReader, pair
from facekit.types import Float32Array

_MINUS_ONE = np.full(1, -1, np.float32)


def _convolution(op: OperatorArguments) -> Node:
    return _add_convolution(op, op.floats(1).transpose(1, 2, 3, 0), "Conv2DOptions")


def _depthwise(op: OperatorArguments) -> Node:
    kernel = op.floats(1)  # (1, height, width, out)
    channels = op.data().shape[-1]
    if op.options("DepthwiseConv2DOptions").DepthMultiplier() * channels != kernel.shape[3]:
        raise ValueError(f"a kernel for {channels} channels needed, not of shape {kernel.shape}")
    return _add_convolution(op, kernel.transpose(1, 2, 0, 3), "DepthwiseConv2DOptions")


def _add_convolution(op: OperatorArguments, kernel: Float32Array, kind: str) -> Node:
    options = op.options(kind)
    return operations.convolution(
        op.data(),
        kernel,
        op.name,
        bias=op.floats(2) if op.has(2) else None,
        stride=pair(options.StrideH(), options.StrideW()),
        dilation=pair(options.DilationHFactor(), options.DilationWFactor()),
        pads=_pads(options),
    )


def _pads(options: Any) -> Pads | None:
    return {0: None, 1: NO_PADS}[options.Padding()]  # the schema's Padding: SAME, VALID


def _dense(op: OperatorArguments) -> Node:
    options, x, kernel = op.options("FullyConnectedOptions"), op.data(), op.floats(1).T
    if options.WeightsFormat() != 0:
        raise ValueError("its weights are shuffled")
    if len(x.shape) != 2 and not options.KeepNumDims():
        count = x.shape[0] if x.shape[0] in (1, DYNAMIC) else DYNAMIC
        flat = (count, kernel.shape[0])
        x = moves.reshape(x, flat, f"{op.name}/flat")
    bias = op.floats(2) if op.has(2) else None
    return operations.dense(x, kernel, op.name, bias=bias)


def _pool(create: Callable[..., Node]) -> OperatorReader:
    def read(op: OperatorArguments) -> Node:
        options = op.options("Pool2DOptions")
        size = pair(options.FilterHeight(), options.FilterWidth())
        stride = pair(options.StrideH(), options.StrideW())
        return create(op.data(), size, op.name, stride=stride, pads=_pads(options))

    return read


def _elementwise(operation: Operation) -> OperatorReader:
    """Returns the reader of a commutative operator: ADD, MULTIPLY, MAXIMUM or MINIMUM."""

    def read(op: OperatorArguments) -> Node:
        node_index = 0 if isinstance(op.values[0], Node) else 1
        x, other = op.data(node_index), op.values[1 - node_index]
        if isinstance(other, Node):
            return operations.elementwise(operation, x, other, op.name)
        constant = _match_rank(x, op.floats(1 - node_index))
        return operations.elementwise(operation, x, constant, op.name)

    return read


def _subtract(op: OperatorArguments) -> Node:
    a, b = op.values
    if isinstance(a, Node) and isinstance(b, Node):
        return operations.elementwise(Operation.SUBTRACT, a, b, op.name)
    if isinstance(a, Node):
        return operations.add(a, _match_rank(a, -op.floats(1)), op.name)
    x = op.data(1)
    negative = operations.multiply(x, _MINUS_ONE, f"{op.name}/negative")
    return operations.add(negative, _match_rank(x, op.floats(0)), op.name)


def _divide(op: OperatorArguments) -> Node:
    a, b = op.values
    if isinstance(a, Node) and isinstance(b, Node):
        return operations.elementwise(Operation.DIVIDE, a, b, op.name)
    if isinstance(a, Node):
        return operations.multiply(a, _match_rank(a, np.float32(1) / op.floats(1)), op.name)
    x = op.data(1)
    reciprocal = operations.power(x, -1, f"{op.name}/reciprocal")
    return operations.multiply(reciprocal, _match_rank(x, op.floats(0)), op.name)


def _match_rank(x: Node, constant: Float32Array) -> Float32Array:
    """Reshapes a constant to (channels,) if it varies along the last axis only, else to the rank of
    x."""
    rank = len(x.shape)
    shape = (1,) * (rank - constant.ndim) + constant.shape
    if constant.size == max(shape[-1:], default=1):
        return constant.reshape(-1)
    return constant.reshape(shape)


def _prelu(op: OperatorArguments) -> Node:
    x, slope = op.data(), _match_rank(op.data(), op.floats(1))
    slope = np.resize(slope, x.shape[-1]) if slope.size == 1 else slope
    return operations.prelu(x, slope, op.name)


def _power(exponent: float) -> OperatorReader:
    return lambda op: operations.power(op.data(), exponent, op.name)


def _power_of_constant(op: OperatorArguments) -> Node:
    return operations.power(op.data(), op.floats(1).item(), op.name)


def _negative(op: OperatorArguments) -> Node:
    return operations.multiply(op.data(), _MINUS_ONE, op.name)


def _activation(operation: Operation) -> OperatorReader:
    return lambda op: operations.activation(operation, op.data(), op.name)


def _gelu(op: OperatorArguments) -> Node:
    if op.options("GeluOptions").Approximate():
        raise ValueError("the approximation of GELU by tanh")
    return operations.activation(Operation.GELU, op.data(), op.name)


def _leaky_relu(op: OperatorArguments) -> Node:
    return operations.leaky_relu(op.data(), op.options("LeakyReluOptions").Alpha(), op.name)


def _softmax(op: OperatorArguments) -> Node:
    if op.options("SoftmaxOptions").Beta() != 1:
        raise ValueError("a factor before the exponential function")
    return operations.softmax(op.data(), op.name)


def _reduction(operation: Operation) -> OperatorReader:
    def read(op: OperatorArguments) -> Node:
        x, keep = op.data(), op.options("ReducerOptions").KeepDims()
        axes = op.axes(1, len(x.shape))
        return operations.reduce(operation, x, axes, op.name, keep=keep)

    return read


COMPUTE_READERS: dict[str, OperatorReader] = {
    "ADD": _elementwise(Operation.ADD),
    "AVERAGE_POOL_2D": _pool(operations.average_pool),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DIV": _divide,
    "ELU": _activation(Operation.ELU),
    "FULLY_CONNECTED": _dense,
    "GELU": _gelu,
    "HARD_SWISH": _activation(Operation.HARD_SWISH),
    "L2_NORMALIZATION": lambda op: operations.unit_length(op.data(), op.name),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _activation(Operation.SIGMOID),
    "MAXIMUM": _elementwise(Operation.MAXIMUM),
    "MAX_POOL_2D": _pool(operations.max_pool),
    "MEAN": _reduction(Operation.REDUCE_MEAN),
    "MINIMUM": _elementwise(Operation.MINIMUM),
    "MUL": _elementwise(Operation.MULTIPLY),
    "NEG": _negative,
    "POW": _power_of_constant,
    "PRELU": _prelu,
    "REDUCE_MAX": _reduction(Operation.REDUCE_MAX),
    "RELU": _activation(Operation.RELU),
    "RELU6": _activation(Operation.RELU6),
    "RSQRT": _power(-0.5),
    "SOFTMAX": _softmax,
    "SQRT": _power(0.5),
    "SQUARE": _power(2),
    "SUB": _subtract,
    "SUM": _reduction(Operation.REDUCE_SUM),
}
