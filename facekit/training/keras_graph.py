"""Converts a graph to a Keras model for training, and a trained Keras model to a graph.

Batch norms keep their statistics in both directions.  An operation without a Keras layer is an
error that names the node.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import NO_PADS, Graph, Node, Operation, Pads
from facekit.graph.names import keras_layer_name
from facekit.graph.operations import same_pads
from facekit.graph.read.keras_model import read_keras_graph
from facekit.training.backend import keras

Tensor: TypeAlias = "keras.KerasTensor"

BATCH_NORM_MOMENTUM = 0.995
"""Momentum of moving means and variances; the value of facenet's training."""
_INTO = (Operation.CONVOLUTION, Operation.DENSE)
_NOT_NEGATIVE = (Operation.RELU, Operation.RELU6, Operation.SIGMOID)


def to_keras(graph: Graph, *, dropout: float = 0.0) -> keras.Model:
    """Returns a model that maps (N, height, width, channels) float32 to the graph's one output.

    All weights are trainable, except the moving means and variances, which batch norms update
    themselves, and the graph's constants.  `dropout` is the share of the last dense layer's input
    that training sets to 0.  Raises ModelBuildError, which names the node, if Keras has no layer
    for a node.
    """
    graph = _with_biases(graph)
    dense = [node for node in graph.nodes if node.operation is Operation.DENSE]
    made: dict[Node, Tensor] = {}
    names: set[str] = set()
    for node in graph.nodes:
        inputs = [made[one] for one in node.inputs]
        if dropout and dense and node is dense[-1]:
            inputs = [keras.layers.Dropout(dropout, name="Dropout")(*inputs)]
        made[node] = _Layer(node, _new_name(node, names)).tensor(inputs)
    (picture,), (output,) = graph.inputs, graph.outputs
    return keras.Model(made[picture], made[output], name=graph.name.replace("/", "_"))


def from_keras(net: keras.Model) -> Graph:
    """Returns the model with its current weights as a graph with a batch of 1.

    Raises ModelBuildError, which names the layer, if the graph has no operation for a layer.
    """
    weights = {layer.name: layer.get_weights() for layer in net.layers}
    return read_keras_graph(json.loads(net.to_json()), lambda name: weights.get(name, ()))


def _with_biases(graph: Graph) -> Graph:
    """Returns the graph with the constant of an addition moved into the preceding layer's bias.

    Only layers without a bias are changed.  Training can change a bias, but not a constant.
    """
    readers = {node.name: count for node, count in graph.use_counts.items()}

    def change(node: Node) -> Node:
        x = next(iter(node.inputs), node)
        constant = node.weights.get("constant")
        if (
            node.operation is not Operation.ADD
            or x.operation not in _INTO
            or readers[x.name] > 1
            or constant is None
            or constant.shape != node.shape[-1:]
            or "bias" in x.weights
        ):
            return node
        return replace(x, name=node.name, weights={**x.weights, "bias": constant})

    return graph.rewrite(change)


def _new_name(node: Node, names: set[str]) -> str:
    """Returns a layer name for the node, with a number if another layer already has the name."""
    name, number = keras_layer_name(node), 1
    while name in names:
        number += 1
        name = f"{keras_layer_name(node)}_{number}"
    names.add(name)
    return name


class _Layer:
    """Creates the Keras layer of one node, with the node's weights."""

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name

    def tensor(self, inputs: list[Tensor]) -> Tensor:
        make = _MAKERS.get(self.node.operation)
        if make is None:
            raise self.unknown(self.node.operation.value)
        return make(self, *inputs)

    def unknown(self, what: str) -> ModelBuildError:
        return ModelBuildError(f"{self.node.name} is a {what}, which is not known for training.")

    def applied(self, layer: Any, x: Any, weights: Sequence[NDArray[Any]] = ()) -> Tensor:
        y = layer(x)
        if weights:
            layer.set_weights(list(weights))
        return y

    def weights(self, *roles: str) -> list[NDArray[Any]]:
        return [self.node.weights[role] for role in roles if role in self.node.weights]

    def padded(self, x: Tensor) -> tuple[Tensor, str]:
        """Returns the input tensor of a windowed layer, and Keras's name of the padding."""
        window, shape = self.node.window, self.node.inputs[0].shape
        if window.pads is None or window.pads == same_pads(shape, window) != NO_PADS:
            return x, "same"
        if window.pads != NO_PADS:
            x = _zeros_around(x, window.pads, f"{self.name}_pad")
        return x, "valid"


def _zeros_around(x: Tensor, pads: Pads, name: str) -> Tensor:
    top, left, bottom, right = pads
    return keras.layers.ZeroPadding2D(((top, bottom), (left, right)), name=name)(x)


def _input(layer: _Layer) -> Tensor:
    return keras.Input(layer.node.shape[1:], name=layer.name)


def _convolution(layer: _Layer, x: Tensor) -> Tensor:
    node = layer.node
    kernel, *bias = layer.weights("kernel", "bias")
    x, padding = layer.padded(x)
    settings = {
        "strides": node.window.stride,
        "dilation_rate": node.window.dilation,
        "padding": padding,
        "use_bias": bool(bias),
        "name": layer.name,
    }
    height, width, depth, filters = kernel.shape
    channels = node.inputs[0].shape[3]
    if depth == 1 < channels:  # as many groups as channels
        kernel = kernel.reshape(height, width, channels, filters // channels)
        made = keras.layers.DepthwiseConv2D(
            (height, width), depth_multiplier=filters // channels, **settings
        )
    else:
        made = keras.layers.Conv2D(filters, (height, width), groups=channels // depth, **settings)
    return layer.applied(made, x, [kernel, *bias])


def _dense(layer: _Layer, x: Tensor) -> Tensor:
    kernel, *bias = layer.weights("kernel", "bias")
    made = keras.layers.Dense(kernel.shape[1], use_bias=bool(bias), name=layer.name)
    return layer.applied(made, x, [kernel, *bias])


def _batch_norm(layer: _Layer, x: Tensor) -> Tensor:
    made = keras.layers.BatchNormalization(
        epsilon=layer.node.float_attributes["epsilon"],
        momentum=BATCH_NORM_MOMENTUM,
        scale="gamma" in layer.node.weights,
        name=layer.name,
    )
    return layer.applied(made, x, layer.weights("gamma", "beta", "mean", "variance"))


def _prelu(layer: _Layer, x: Tensor) -> Tensor:
    (slope,) = layer.weights("slope")
    sides = len(layer.node.shape)
    made = keras.layers.PReLU(shared_axes=list(range(1, sides - 1)) or None, name=layer.name)
    return layer.applied(made, x, [slope.reshape((1,) * (sides - 2) + slope.shape)])


def _pad(layer: _Layer, x: Tensor) -> Tensor:
    if layer.node.float_attributes.get("value"):
        raise layer.unknown("pad with other numbers than zeros")
    return _zeros_around(x, layer.node.window.pads or NO_PADS, layer.name)


def _pool(kind: Any) -> Callable[[_Layer, Tensor], Tensor]:
    def make(layer: _Layer, x: Tensor) -> Tensor:
        node = layer.node
        padded, padding = layer.padded(x)
        zeros_are_least = kind is keras.layers.MaxPooling2D and (
            node.inputs[0].operation in _NOT_NEGATIVE
        )
        if padded is not x and not zeros_are_least:
            raise layer.unknown(f"pool padded by {node.window.pads}")
        window = node.window
        return kind(window.size, strides=window.stride, padding=padding, name=layer.name)(padded)

    return make


def _reduced(kind: Any) -> Callable[[_Layer, Tensor], Tensor]:
    def make(layer: _Layer, x: Tensor) -> Tensor:
        node = layer.node
        if node.int_attributes["axes"] != (1, 2) or len(node.inputs[0].shape) != 4:
            raise layer.unknown(f"{node.operation.value} over {node.int_attributes['axes']}")
        return kind(keepdims=len(node.shape) == 4, name=layer.name)(x)

    return make


def _reshape(layer: _Layer, x: Tensor) -> Tensor:
    shape = layer.node.shape
    if len(shape) == 2:
        return keras.layers.Flatten(name=layer.name)(x)
    return keras.layers.Reshape(shape[1:], name=layer.name)(x)


def _concatenate(layer: _Layer, *inputs: Tensor) -> Tensor:
    (axis,) = layer.node.int_attributes["axis"]
    return keras.layers.Concatenate(axis=axis, name=layer.name)(list(inputs))


def _of_two(kind: Any) -> Callable[..., Tensor]:
    """Returns a function that applies a layer to two tensors, or to a tensor and a constant.

    The constant is not trained.
    """

    def make(layer: _Layer, *inputs: Tensor) -> Tensor:
        if len(inputs) == 2:
            return kind(name=layer.name)(list(inputs))
        (constant,) = layer.weights("constant")
        if constant.size > 1 and constant.shape != layer.node.shape[-1:]:
            raise layer.unknown(f"{layer.node.operation.value} of numbers of {constant.shape}")
        same = bool((constant == constant.flat[0]).all())
        numbers = float(constant.flat[0]) if same else constant.tolist()
        if kind is keras.layers.Multiply:
            return keras.layers.Rescaling(numbers, name=layer.name)(*inputs)
        if kind is keras.layers.Add:
            return keras.layers.Rescaling(1.0, numbers, name=layer.name)(*inputs)
        raise layer.unknown(f"{layer.node.operation.value} of a tensor and numbers")

    return make


def _plain(kind: Any, **settings: Any) -> Callable[[_Layer, Tensor], Tensor]:
    return lambda layer, x: kind(**settings, name=layer.name)(x)


_LAYERS = keras.layers
_MAKERS: dict[Operation, Callable[..., Tensor]] = {
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.ADD: _of_two(_LAYERS.Add),
    Operation.MULTIPLY: _of_two(_LAYERS.Multiply),
    Operation.MAXIMUM: _of_two(_LAYERS.Maximum),
    Operation.MINIMUM: _of_two(_LAYERS.Minimum),
    Operation.SUBTRACT: _of_two(_LAYERS.Subtract),
    Operation.RELU: _plain(_LAYERS.Activation, activation="relu"),
    Operation.RELU6: _plain(_LAYERS.Activation, activation="relu6"),
    Operation.ELU: _plain(_LAYERS.Activation, activation="elu"),
    Operation.SIGMOID: _plain(_LAYERS.Activation, activation="sigmoid"),
    Operation.HARD_SWISH: _plain(_LAYERS.Activation, activation="hard_silu"),
    Operation.GELU: _plain(_LAYERS.Activation, activation="gelu"),
    Operation.SOFTMAX: _plain(_LAYERS.Softmax),
    Operation.UNIT_LENGTH: _plain(_LAYERS.UnitNormalization),
    Operation.PRELU: _prelu,
    Operation.LEAKY_RELU: lambda layer, x: keras.layers.LeakyReLU(
        layer.node.float_attributes["slope"], name=layer.name
    )(x),
    Operation.PAD: _pad,
    Operation.MAX_POOL: _pool(_LAYERS.MaxPooling2D),
    Operation.AVERAGE_POOL: _pool(_LAYERS.AveragePooling2D),
    Operation.REDUCE_MEAN: _reduced(_LAYERS.GlobalAveragePooling2D),
    Operation.REDUCE_MAX: _reduced(_LAYERS.GlobalMaxPooling2D),
    Operation.RESHAPE: _reshape,
    Operation.CONCATENATE: _concatenate,
}
