"""Our own Keras graph as steps, to be laid on those of a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import steps
from facekit.graph.steps import Node
from facekit.system.keras_backend import keras
from facekit.types import Float32Array


def keras_steps(net: keras.Model) -> Node:
    """The net's one output.  Kernels have their shapes and no values.

    Raises ModelBuildError for a layer that no file of facekit's nets has.
    """
    nodes: dict[int, Node] = {}
    for layer in net.layers:
        if isinstance(layer, keras.layers.InputLayer):
            _, height, width, _ = layer.output.shape
            nodes[id(layer.output)] = steps.image(height, width, layer.name)
            continue
        make = _MAKERS.get(type(layer))
        if make is None:
            raise ModelBuildError(
                f"Layer {layer.name} of {net.name} is a {type(layer).__name__}; nets with such "
                "layers cannot be read back from files."
            )
        inputs = [nodes[id(tensor)] for tensor in keras.tree.flatten(layer.input)]
        nodes[id(layer.output)] = make(layer, *inputs)
    return nodes[id(net.outputs[0])]


def _convolution(layer: Any, x: Node) -> Node:
    kernel = _without_values(*layer.kernel_size, x.shape[2], layer.filters)
    return steps.kernel_step(
        x, kernel, layer.name, stride=tuple(layer.strides), pads=_pads(layer, x), layer=layer
    )


def _dense(layer: Any, x: Node) -> Node:
    kernel = _without_values(1, 1, x.shape[2], layer.units)
    return steps.kernel_step(x, kernel, layer.name, layer=layer)


def _max_pool(layer: Any, x: Node) -> Node:
    return steps.max_pool(
        x,
        tuple(layer.pool_size),
        layer.name,
        stride=tuple(layer.strides),
        pads=_pads(layer, x, tuple(layer.pool_size)),
    )


def _zero_padding(layer: Any, x: Node) -> Node:
    (top, bottom), (left, right) = layer.padding
    return steps.pad(x, (top, left, bottom, right), layer.name)


def _activation(layer: Any, x: Node) -> Node:
    if layer.activation is not keras.activations.relu:
        raise ModelBuildError(f"Layer {layer.name} is an activation other than ReLU.")
    return steps.relu(x, layer.name)


def _pads(layer: Any, x: Node, window: tuple[int, int] | None = None) -> steps.Pads:
    if layer.padding != "same":
        return steps.NO_PADS
    return steps.same_pads(x.shape, window or tuple(layer.kernel_size), tuple(layer.strides))


def _without_values(*shape: int) -> Float32Array:
    """Zeros of this shape that take no memory."""
    return np.broadcast_to(np.float32(0), shape)


_MAKERS: dict[type, Callable[..., Node]] = {
    keras.layers.Conv2D: _convolution,
    keras.layers.Dense: _dense,
    keras.layers.BatchNormalization: lambda layer, x: steps.with_layer(x, layer),
    keras.layers.Rescaling: lambda layer, x: steps.with_layer(x, layer),
    keras.layers.Activation: _activation,
    keras.layers.ReLU: lambda layer, x: steps.relu(x, layer.name),
    keras.layers.PReLU: lambda layer, x: steps.prelu(
        x, _without_values(x.shape[2]), layer.name, layer=layer
    ),
    keras.layers.ZeroPadding2D: _zero_padding,
    keras.layers.MaxPooling2D: _max_pool,
    keras.layers.GlobalAveragePooling2D: lambda layer, x: steps.mean(x, layer.name),
    keras.layers.Flatten: lambda layer, x: steps.flatten(x, layer.name),
    keras.layers.Dropout: lambda layer, x: x,
    keras.layers.Concatenate: lambda layer, *inputs: steps.concatenate(inputs, layer.name),
    keras.layers.Add: lambda layer, a, b: steps.add(a, b, layer.name),
}
