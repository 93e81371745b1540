"""Each of Keras's layers, by its settings and weights, as a node of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import NO_PADS, Node, Operation, Pads
from facekit.graph.names import node_name
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class KerasLayer:
    """One layer, with what it is called in the graph."""

    kind: str
    settings: Mapping[str, Any]
    weights: tuple[Float32Array, ...]

    @property
    def name(self) -> str:
        return str(self.settings["name"])

    def node(self, inputs: list[Node]) -> Node:
        if self.kind not in _MAKERS:
            raise ModelBuildError(
                f"{self.name} is a {self.kind}. Known are {', '.join(sorted(_MAKERS))}."
            )
        if self.settings.get("data_format") not in (None, "channels_last"):
            raise ModelBuildError(f"{self.name} must have its channels last.")
        x = _MAKERS[self.kind](self, *inputs)
        return self._activated(x) if self.kind in _WITH_ACTIVATION else x

    def named(self, operation: Operation) -> str:
        return node_name(self.name, operation, bias=bool(self.settings.get("use_bias")))

    def take(self, *roles: tuple[str, bool]) -> dict[str, Float32Array]:
        """The weights by role, of those that are there.  Raises ModelBuildError."""
        wanted = [role for role, is_there in roles if is_there]
        if len(wanted) != len(self.weights):
            raise ModelBuildError(
                f"{self.name} must have the weights {', '.join(wanted)}. Received: "
                f"{len(self.weights)}."
            )
        return dict(zip(wanted, self.weights, strict=True))

    def pads(self) -> Pads | None:
        kinds = {"valid": NO_PADS, "same": None}
        if self.settings["padding"] not in kinds:
            raise ModelBuildError(f"{self.name} has padding {self.settings['padding']!r}.")
        return kinds[self.settings["padding"]]

    def _activated(self, x: Node) -> Node:
        kind = self.settings.get("activation", "linear")
        if isinstance(kind, dict):
            kind = kind.get("config")
        if kind in (None, "linear"):
            return x
        if kind not in _ACTIVATIONS:
            raise ModelBuildError(
                f"{self.name} has the activation {kind}. Known are {', '.join(_ACTIVATIONS)}."
            )
        return _ACTIVATIONS[kind](self, x)


def _two(value: Any) -> tuple[int, int]:
    """Rows and columns, which Keras allows to be one number."""
    rows, columns = (value, value) if isinstance(value, int) else value
    return int(rows), int(columns)


def _convolution(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    weights = layer.take(("kernel", True), ("bias", settings["use_bias"]))
    kernel = weights["kernel"]
    if layer.kind == "DepthwiseConv2D":  # (height, width, channels, multiplier)
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return operations.convolution(
        x,
        kernel,
        layer.named(Operation.CONVOLUTION),
        bias=weights.get("bias"),
        stride=_two(settings["strides"]),
        dilation=_two(settings["dilation_rate"]),
        pads=layer.pads(),
    )


def _dense(layer: KerasLayer, x: Node) -> Node:
    weights = layer.take(("kernel", True), ("bias", layer.settings["use_bias"]))
    name = layer.named(Operation.DENSE)
    return operations.dense(x, weights["kernel"], name, bias=weights.get("bias"))


def _batch_norm(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    axis = np.ravel(settings["axis"]).tolist()
    if axis not in ([-1], [len(x.shape) - 1]):
        raise ModelBuildError(f"{layer.name} must be over channels, the last axis.")
    weights = layer.take(
        ("gamma", settings["scale"]), ("beta", settings["center"]), ("mean", True),
        ("variance", True),
    )  # fmt: skip
    return operations.batch_norm(
        x,
        layer.named(Operation.BATCH_NORM),
        gamma=weights.get("gamma"),
        beta=weights.get("beta", np.zeros(x.shape[-1], np.float32)),
        mean=weights["mean"],
        variance=weights["variance"],
        epsilon=float(settings["epsilon"]),
    )


def _prelu(layer: KerasLayer, x: Node) -> Node:
    (slope,) = layer.take(("alpha", True)).values()
    if slope.size != x.shape[-1]:
        raise ModelBuildError(f"{layer.name} must share its slopes over rows and columns.")
    return operations.prelu(x, slope.reshape(-1), layer.named(Operation.PRELU))


def _relu(layer: KerasLayer, x: Node) -> Node:
    """ReLU with the settings that Keras's layer of this name has."""
    settings = layer.settings
    greatest, slope = settings.get("max_value"), settings.get("negative_slope", 0) or 0
    if settings.get("threshold") or (greatest not in (None, 6)) or (greatest and slope):
        raise ModelBuildError(f"{layer.name} is a ReLU of a kind that is not known.")
    if slope:
        return operations.leaky_relu(x, float(slope), layer.named(Operation.LEAKY_RELU))
    return _activation(Operation.RELU if greatest is None else Operation.RELU6)(layer, x)


def _leaky_relu(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    slope = settings.get("negative_slope", settings.get("alpha", 0.3))
    return operations.leaky_relu(x, float(slope), layer.named(Operation.LEAKY_RELU))


def _activation(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    return lambda layer, x: operations.activation(operation, x, layer.named(operation))


def _zero_padding(layer: KerasLayer, x: Node) -> Node:
    (top, bottom), (left, right) = layer.settings["padding"]
    return moves.pad(x, (top, left, bottom, right), layer.named(Operation.PAD))


def _pool(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    make = {
        Operation.MAX_POOL: operations.max_pool,
        Operation.AVERAGE_POOL: operations.average_pool,
    }[operation]

    def node(layer: KerasLayer, x: Node) -> Node:
        size = _two(layer.settings["pool_size"])
        stride = _two(layer.settings["strides"] or size)
        return make(x, size, layer.named(operation), stride=stride, pads=layer.pads())

    return node


def _reduced(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    def node(layer: KerasLayer, x: Node) -> Node:
        keep = bool(layer.settings.get("keepdims", False))
        return operations.reduced(operation, x, (1, 2), layer.named(operation), keep=keep)

    return node


def _flatten(layer: KerasLayer, x: Node) -> Node:
    return moves.flatten(x, layer.named(Operation.RESHAPE)) if len(x.shape) == 4 else x


def _reshape(layer: KerasLayer, x: Node) -> Node:
    sides = [int(side) for side in layer.settings["target_shape"]]
    if -1 in sides:
        known = -int(np.prod(sides))
        sides[sides.index(-1)] = int(np.prod(x.shape[1:])) // max(known, 1)
    return moves.reshape(x, (x.shape[0], *sides), layer.named(Operation.RESHAPE))


def _concatenate(layer: KerasLayer, *inputs: Node) -> Node:
    name = layer.named(Operation.CONCATENATE)
    return moves.concatenate(inputs, name, axis=int(layer.settings["axis"]))


def _of_several(operation: Operation) -> Callable[..., Node]:
    """Two at a time; the last has the layer's own name."""

    def node(layer: KerasLayer, first: Node, *others: Node) -> Node:
        x = first
        if not others:
            raise ModelBuildError(f"{layer.name} reads one layer; {operation.value} needs two.")
        for place, other in enumerate(others, start=1 - len(others)):
            name = layer.named(operation)
            x = operations.elementwise(operation, x, other, name if not place else f"{name}{place}")
        return x

    return node


def _rescaling(layer: KerasLayer, x: Node) -> Node:
    """x * scale + offset."""
    scale, offset = (
        np.ravel(layer.settings[one]).astype(np.float32) for one in ("scale", "offset")
    )
    x = operations.multiply(x, scale, layer.named(Operation.MULTIPLY))
    return operations.add(x, offset, layer.named(Operation.ADD)) if offset.any() else x


_WITH_ACTIVATION = ("Conv2D", "DepthwiseConv2D", "Dense", "Activation")
_ACTIVATIONS: dict[str, Callable[[KerasLayer, Node], Node]] = {
    "relu": _activation(Operation.RELU),
    "relu6": _activation(Operation.RELU6),
    "elu": _activation(Operation.ELU),
    "sigmoid": _activation(Operation.SIGMOID),
    "hard_swish": _activation(Operation.HARD_SWISH),
    "hard_silu": _activation(Operation.HARD_SWISH),
    "softmax": lambda layer, x: operations.softmax(x, layer.named(Operation.SOFTMAX)),
}
_MAKERS: dict[str, Callable[..., Node]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Activation": lambda _, x: x,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "Softmax": lambda layer, x: operations.softmax(x, layer.named(Operation.SOFTMAX)),
    "UnitNormalization": lambda layer, x: operations.unit_length(
        x, layer.named(Operation.UNIT_LENGTH)
    ),
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _pool(Operation.MAX_POOL),
    "AveragePooling2D": _pool(Operation.AVERAGE_POOL),
    "GlobalAveragePooling2D": _reduced(Operation.MEAN),
    "GlobalMaxPooling2D": _reduced(Operation.GREATEST),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Dropout": lambda _, x: x,
    "Concatenate": _concatenate,
    "Add": _of_several(Operation.ADD),
    "Multiply": _of_several(Operation.MULTIPLY),
    "Maximum": _of_several(Operation.MAXIMUM),
    "Subtract": _of_several(Operation.SUBTRACT),
}
