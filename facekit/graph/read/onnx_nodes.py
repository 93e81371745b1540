"""ONNX's operators on pictures and vectors as nodes of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import NO_PADS, Node, Pads
from facekit.graph.read.onnx_constants import target_shape
from facekit.graph.read.onnx_settings import Settings
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class Value:
    """What a tensor of the file is here."""

    node: Node
    """with channels last"""
    order: NDArray[np.intp] | None = None
    """of a flattened picture: our numbers are the file's at these places"""


@dataclass(frozen=True, slots=True, eq=False)
class Arguments:
    """What a node reads, each checked to be of the kind that is asked for."""

    name: str
    values: Sequence[Value | NDArray[Any] | None]

    def data(self, place: int) -> Value:
        value = self.values[place]
        if not isinstance(value, Value):
            raise ModelBuildError(f"{self.name}: its input {place} must be computed.")
        return value

    def constant(self, place: int) -> NDArray[Any]:
        value = self.values[place]
        if not isinstance(value, np.ndarray):
            raise ModelBuildError(f"{self.name}: its input {place} must be constant.")
        return value

    def has(self, place: int) -> bool:
        return place < len(self.values) and self.values[place] is not None

    def channel_numbers(self, place: int, x: Value) -> Float32Array:
        """A constant that broadcasts along nothing but channels: one for each, (channels,)."""
        constant, channels, rank = self.constant(place), x.node.shape[-1], len(x.node.shape)
        sides = (1,) * (rank - constant.ndim) + constant.shape
        if constant.size == 1 and constant.ndim <= rank:
            return np.broadcast_to(constant.reshape(()), (channels,))
        if sides != (1, channels, 1, 1)[:rank]:
            raise ModelBuildError(
                f"{self.name}: one number for each of {channels} channels needed. Received: shape "
                f"{constant.shape}."
            )
        return _ordered(constant.reshape(-1), x)


def _ordered(numbers: NDArray[Any], x: Value) -> NDArray[Any]:
    """Rows that are as those of `x` in the file, as those of its node."""
    return numbers if x.order is None else numbers[x.order]


def _convolution(given: Arguments, settings: Settings) -> Value:
    x, kernel = given.data(0).node, given.constant(1)
    if kernel.ndim != 4 or len(x.shape) != 4:
        raise ModelBuildError(f"{given.name}: a picture and a kernel of four sides needed.")
    groups = settings.integer("group", 1)
    if groups * kernel.shape[1] != x.shape[3]:
        raise ModelBuildError(
            f"{given.name}: a kernel for {x.shape[3]} channels in {groups} groups needed. "
            f"Received: shape {kernel.shape}."
        )
    _require_kernel_shape(settings, kernel.shape[2:])
    node = operations.convolution(
        x,
        kernel.transpose(2, 3, 1, 0),
        given.name,
        bias=given.constant(2) if given.has(2) else None,
        stride=settings.two("strides"),
        dilation=settings.two("dilations"),
        pads=_pads(settings),
    )
    return Value(node)


def _batch_norm(given: Arguments, settings: Settings) -> Value:
    settings.require("training_mode", 0)
    settings.require("spatial", 1)
    settings.pass_over("momentum")
    x = given.data(0)
    channels = x.node.shape[-1:]
    numbers = [given.constant(place) for place in range(1, 5)]
    for weight in numbers:
        if weight.shape != channels:
            raise ModelBuildError(
                f"{given.name}: one number for each of {channels[0]} channels needed. Received: "
                f"shape {weight.shape}."
            )
    gamma, beta, mean, variance = (_ordered(weight, x) for weight in numbers)
    node = operations.batch_norm(
        x.node,
        given.name,
        gamma=gamma,
        beta=beta,
        mean=mean,
        variance=variance,
        epsilon=settings.number("epsilon", 1e-5),
    )
    return Value(node, x.order)


def _add(given: Arguments, _: Settings) -> Value:
    return _elementwise(operations.add, given)


def _multiply(given: Arguments, _: Settings) -> Value:
    return _elementwise(operations.multiply, given)


def _subtract(given: Arguments, _: Settings) -> Value:
    x = given.data(0)
    return Value(operations.add(x.node, -given.channel_numbers(1, x), given.name), x.order)


def _divide(given: Arguments, _: Settings) -> Value:
    x = given.data(0)
    factor = np.float32(1) / given.channel_numbers(1, x)
    return Value(operations.multiply(x.node, factor, given.name), x.order)


def _elementwise(make: Callable[[Node, Node | Float32Array, str], Node], given: Arguments) -> Value:
    both = [place for place in (0, 1) if isinstance(given.values[place], Value)]
    x = given.data(both[0])
    if len(both) == 1:
        constant = given.channel_numbers(1 - both[0], x)
        return Value(make(x.node, constant, given.name), x.order)
    y = given.data(1)
    if not np.array_equal(_places(x), _places(y)):
        raise ModelBuildError(f"{given.name}: its inputs are in different orders.")
    return Value(make(x.node, y.node, given.name), x.order)


def _places(x: Value) -> NDArray[np.intp]:
    return np.zeros(0, np.intp) if x.order is None else x.order


def _prelu(given: Arguments, _: Settings) -> Value:
    x = given.data(0)
    return Value(operations.prelu(x.node, given.channel_numbers(1, x), given.name), x.order)


def _relu(given: Arguments, _: Settings) -> Value:
    x = given.data(0)
    return Value(operations.relu(x.node, given.name), x.order)


def _identity(given: Arguments, _: Settings) -> Value:
    return given.data(0)


def _dropout(given: Arguments, settings: Settings) -> Value:
    """Which does nothing but in training."""
    settings.pass_over("ratio", "seed")
    if given.has(2) and given.constant(2).any():
        raise ModelBuildError(f"{given.name} must not be in training.")
    return given.data(0)


def _flatten(given: Arguments, settings: Settings) -> Value:
    x = given.data(0)
    if settings.integer("axis", 1) not in (1, 1 - len(x.node.shape)):
        raise ModelBuildError(f"{given.name} must keep the pictures apart: axis 1 needed.")
    return _flattened(x, given.name)


def _reshape(given: Arguments, settings: Settings) -> Value:
    """To vectors."""
    settings.require("allowzero", 0)
    x = given.data(0)
    shape = _file_shape(x.node)
    if target_shape(shape, given.constant(1), given.name) != (1, prod(shape)):
        raise ModelBuildError(f"{given.name} must make vectors of shape {shape}.")
    return _flattened(x, given.name)


def _file_shape(node: Node) -> tuple[int, ...]:
    """With channels first."""
    return (node.shape[0], node.shape[-1], *node.shape[1:-1])


def _flattened(x: Value, name: str) -> Value:
    if len(x.node.shape) == 2:
        return x
    _, channels, height, width = _file_shape(x.node)
    places = np.arange(channels * height * width).reshape(channels, height, width)
    order = places.transpose(1, 2, 0).ravel()
    return Value(moves.flatten(x.node, name), None if height == width == 1 else order)


def _gemm(given: Arguments, settings: Settings) -> Value:
    settings.require("transA", 0)
    kernel = given.constant(1)
    if settings.integer("transB", 0):
        kernel = kernel.T
    kernel = kernel * np.float32(settings.number("alpha", 1.0))
    beta, bias = np.float32(settings.number("beta", 1.0)), None
    if given.has(2) and kernel.ndim == 2:
        bias = given.constant(2)
        if bias.shape not in ((), (1,), (kernel.shape[1],), (1, kernel.shape[1])):
            raise ModelBuildError(
                f"{given.name}: a bias for {kernel.shape[1]} numbers needed. Received: shape "
                f"{bias.shape}."
            )
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * beta
    return _dense(given, kernel, bias)


def _matmul(given: Arguments, _: Settings) -> Value:
    return _dense(given, given.constant(1), None)


def _dense(given: Arguments, kernel: NDArray[Any], bias: NDArray[Any] | None) -> Value:
    x = given.data(0)
    if kernel.ndim != 2 or kernel.shape[0] != x.node.shape[-1]:
        raise ModelBuildError(
            f"{given.name}: a kernel for vectors of shape {x.node.shape} needed. Received: shape "
            f"{kernel.shape}."
        )
    return Value(operations.dense(x.node, _ordered(kernel, x), given.name, bias=bias))


def _max_pool(given: Arguments, settings: Settings) -> Value:
    settings.require("ceil_mode", 0)
    settings.require("storage_order", 0)
    if settings.two("dilations") != (1, 1):
        raise ModelBuildError(f"{given.name}: a pool without dilation needed.")
    size, stride, pads = settings.two("kernel_shape"), settings.two("strides"), _pads(settings)
    x = given.data(0).node
    return Value(operations.max_pool(x, size, given.name, stride=stride, pads=pads))


def _global_average(given: Arguments, _: Settings) -> Value:
    """A picture of one pixel there, a vector here."""
    return Value(operations.mean(given.data(0).node, given.name))


def _concatenate(given: Arguments, settings: Settings) -> Value:
    values = [given.data(place) for place in range(len(given.values))]
    if settings.integer("axis", 1) != 1 or any(value.order is not None for value in values):
        raise ModelBuildError(f"{given.name} must put channels side by side.")
    return Value(moves.concatenate([value.node for value in values], given.name))


def _require_kernel_shape(settings: Settings, shape: tuple[int, ...]) -> None:
    if settings.two("kernel_shape", (shape[0], shape[1])) != shape:
        raise ModelBuildError(f"{settings.name}: a kernel_shape of {shape} needed.")


def _pads(settings: Settings) -> Pads | None:
    kind = settings.text("auto_pad", "NOTSET")
    top, left, bottom, right = settings.integers("pads", NO_PADS, least=0)
    if kind == "SAME_UPPER":
        return None
    if kind not in ("NOTSET", "VALID"):
        raise ModelBuildError(f"{settings.name}: padding {kind} is not known.")
    return NO_PADS if kind == "VALID" else (top, left, bottom, right)


NODE_OPERATORS: dict[str, Callable[[Arguments, Settings], Value]] = {
    "Add": _add,
    "BatchNormalization": _batch_norm,
    "Concat": _concatenate,
    "Conv": _convolution,
    "Div": _divide,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "Identity": _identity,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _multiply,
    "PRelu": _prelu,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sub": _subtract,
}
