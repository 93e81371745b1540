"""Translates the settings and weights of Keras layers into nodes of a graph."""

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
    """The class, settings and weights of one layer."""

    kind: str
    """The name of Keras's class, such as Conv2D."""
    settings: Mapping[str, Any]
    """The layer's config as Keras saves it."""
    weights: tuple[Float32Array, ...]
    """The arrays in Keras's order and shapes, such as kernel, then bias."""

    @property
    def name(self) -> str:
        return str(self.settings["name"])

    def node(self, inputs: list[Node]) -> Node:
        """Returns the layer's last node.

        Raises ModelBuildError if the class, its settings or its weights are not supported, and
        KeyError if a setting is missing.
        """
        if self.kind not in _READERS:
            raise ModelBuildError(
                f"{self.name} is a {self.kind}. Known are {', '.join(sorted(_READERS))}."
            )
        if self.settings.get("data_format") not in (None, "channels_last"):
            raise ModelBuildError(f"{self.name} must have its channels last.")
        x = _READERS[self.kind](self, *inputs)
        return self._add_activation(x) if self.kind in _WITH_ACTIVATION else x

    def node_name(self, operation: Operation) -> str:
        return node_name(self.name, operation, bias=bool(self.settings.get("use_bias")))

    def weights_by_role(self, *roles: tuple[str, bool]) -> dict[str, Float32Array]:
        """Returns the weights by role.

        `roles` are pairs (role, whether the layer has this weight).  Raises ModelBuildError if the
        number of weights differs from the number of roles that the layer has.
        """
        expected = [role for role, is_there in roles if is_there]
        if len(expected) != len(self.weights):
            raise ModelBuildError(
                f"{self.name} must have the weights {', '.join(expected)}. Received: "
                f"{len(self.weights)}."
            )
        return dict(zip(expected, self.weights, strict=True))

    def pads(self) -> Pads | None:
        """Returns no pads for "valid", None for "same".  Raises ModelBuildError otherwise."""
        kinds = {"valid": NO_PADS, "same": None}
        if self.settings["padding"] not in kinds:
            raise ModelBuildError(f"{self.name} has padding {self.settings['padding']!r}.")
        return kinds[self.settings["padding"]]

    def _add_activation(self, x: Node) -> Node:
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


def _pair(value: Any) -> tuple[int, int]:
    """Returns (rows, columns) from a Keras setting, which is a pair or one integer for both."""
    rows, columns = (value, value) if isinstance(value, int) else value
    return int(rows), int(columns)


def _convolution(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    weights = layer.weights_by_role(("kernel", True), ("bias", settings["use_bias"]))
    kernel = weights["kernel"]
    if layer.kind == "DepthwiseConv2D":  # (height, width, channels, multiplier)
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return operations.convolution(
        x,
        kernel,
        layer.node_name(Operation.CONVOLUTION),
        bias=weights.get("bias"),
        stride=_pair(settings["strides"]),
        dilation=_pair(settings["dilation_rate"]),
        pads=layer.pads(),
    )


def _dense(layer: KerasLayer, x: Node) -> Node:
    weights = layer.weights_by_role(("kernel", True), ("bias", layer.settings["use_bias"]))
    name = layer.node_name(Operation.DENSE)
    return operations.dense(x, weights["kernel"], name, bias=weights.get("bias"))


def _batch_norm(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    axis = np.ravel(settings["axis"]).tolist()
    if axis not in ([-1], [len(x.shape) - 1]):
        raise ModelBuildError(f"{layer.name} must be over channels, the last axis.")
    weights = layer.weights_by_role(
        ("gamma", settings["scale"]), ("beta", settings["center"]), ("mean", True),
        ("variance", True),
    )  # fmt: skip
    return operations.batch_norm(
        x,
        layer.node_name(Operation.BATCH_NORM),
        gamma=weights.get("gamma"),
        beta=weights.get("beta", np.zeros(x.shape[-1], np.float32)),
        mean=weights["mean"],
        variance=weights["variance"],
        epsilon=float(settings["epsilon"]),
    )


def _prelu(layer: KerasLayer, x: Node) -> Node:
    (slope,) = layer.weights_by_role(("alpha", True)).values()
    if slope.size != x.shape[-1]:
        raise ModelBuildError(f"{layer.name} must share its slopes over rows and columns.")
    return operations.prelu(x, slope.reshape(-1), layer.node_name(Operation.PRELU))


def _relu(layer: KerasLayer, x: Node) -> Node:
    """Translates Keras's ReLU layer, which has a maximum, a slope and a threshold as settings."""
    settings = layer.settings
    maximum, slope = settings.get("max_value"), settings.get("negative_slope", 0) or 0
    if settings.get("threshold") or (maximum not in (None, 6)) or (maximum and slope):
        raise ModelBuildError(f"{layer.name} is a ReLU of a kind that is not known.")
    if slope:
        return operations.leaky_relu(x, float(slope), layer.node_name(Operation.LEAKY_RELU))
    return _activation(Operation.RELU if maximum is None else Operation.RELU6)(layer, x)


def _leaky_relu(layer: KerasLayer, x: Node) -> Node:
    settings = layer.settings
    slope = settings.get("negative_slope", settings.get("alpha", 0.3))
    return operations.leaky_relu(x, float(slope), layer.node_name(Operation.LEAKY_RELU))


def _activation(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    return lambda layer, x: operations.activation(operation, x, layer.node_name(operation))


def _zero_padding(layer: KerasLayer, x: Node) -> Node:
    (top, bottom), (left, right) = layer.settings["padding"]
    return moves.pad(x, (top, left, bottom, right), layer.node_name(Operation.PAD))


def _pool(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    make = {
        Operation.MAX_POOL: operations.max_pool,
        Operation.AVERAGE_POOL: operations.average_pool,
    }[operation]

    def read(layer: KerasLayer, x: Node) -> Node:
        size = _pair(layer.settings["pool_size"])
        stride = _pair(layer.settings["strides"] or size)
        return make(x, size, layer.node_name(operation), stride=stride, pads=layer.pads())

    return read


def _global_pool(operation: Operation) -> Callable[[KerasLayer, Node], Node]:
    def read(layer: KerasLayer, x: Node) -> Node:
        keep = bool(layer.settings.get("keepdims", False))
        return operations.reduce(operation, x, (1, 2), layer.node_name(operation), keep=keep)

    return read


def _flatten(layer: KerasLayer, x: Node) -> Node:
    return moves.flatten(x, layer.node_name(Operation.RESHAPE)) if len(x.shape) == 4 else x


def _reshape(layer: KerasLayer, x: Node) -> Node:
    shape = [int(size) for size in layer.settings["target_shape"]]
    if -1 in shape:
        known = -int(np.prod(shape))
        shape[shape.index(-1)] = int(np.prod(x.shape[1:])) // max(known, 1)
    return moves.reshape(x, (x.shape[0], *shape), layer.node_name(Operation.RESHAPE))


def _concatenate(layer: KerasLayer, *inputs: Node) -> Node:
    name = layer.node_name(Operation.CONCATENATE)
    return moves.concatenate(inputs, name, axis=int(layer.settings["axis"]))


def _fold_inputs(operation: Operation) -> Callable[..., Node]:
    """Returns a reader that combines the first two inputs, then the result with each further input.

    The last node has the layer's name.  The names of the others end with a negative number.
    """

    def read(layer: KerasLayer, first: Node, *more_inputs: Node) -> Node:
        x = first
        if not more_inputs:
            raise ModelBuildError(f"{layer.name} reads one layer; {operation.value} needs two.")
        for offset, node_input in enumerate(more_inputs, start=1 - len(more_inputs)):
            name = layer.node_name(operation)
            x = operations.elementwise(
                operation, x, node_input, name if not offset else f"{name}{offset}"
            )
        return x

    return read


def _rescaling(layer: KerasLayer, x: Node) -> Node:
    """Computes x * scale + offset."""
    scale, offset = (
        np.ravel(layer.settings[name]).astype(np.float32) for name in ("scale", "offset")
    )
    x = operations.multiply(x, scale, layer.node_name(Operation.MULTIPLY))
    return operations.add(x, offset, layer.node_name(Operation.ADD)) if offset.any() else x


_WITH_ACTIVATION = ("Conv2D", "DepthwiseConv2D", "Dense", "Activation")
_ACTIVATIONS: dict[str, Callable[[KerasLayer, Node], Node]] = {
    "relu": _activation(Operation.RELU),
    "relu6": _activation(Operation.RELU6),
    "elu": _activation(Operation.ELU),
    "sigmoid": _activation(Operation.SIGMOID),
    "hard_swish": _activation(Operation.HARD_SWISH),
    "hard_silu": _activation(Operation.HARD_SWISH),
    "gelu": _activation(Operation.GELU),
    "softmax": lambda layer, x: operations.softmax(x, layer.node_name(Operation.SOFTMAX)),
}
_READERS: dict[str, Callable[..., Node]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Activation": lambda _, x: x,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "Softmax": lambda layer, x: operations.softmax(x, layer.node_name(Operation.SOFTMAX)),
    "UnitNormalization": lambda layer, x: operations.unit_length(
        x, layer.node_name(Operation.UNIT_LENGTH)
    ),
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _pool(Operation.MAX_POOL),
    "AveragePooling2D": _pool(Operation.AVERAGE_POOL),
    "GlobalAveragePooling2D": _global_pool(Operation.REDUCE_MEAN),
    "GlobalMaxPooling2D": _global_pool(Operation.REDUCE_MAX),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Dropout": lambda _, x: x,
    "Concatenate": _concatenate,
    "Add": _fold_inputs(Operation.ADD),
    "Multiply": _fold_inputs(Operation.MULTIPLY),
    "Maximum": _fold_inputs(Operation.MAXIMUM),
    "Subtract": _fold_inputs(Operation.SUBTRACT),
}
