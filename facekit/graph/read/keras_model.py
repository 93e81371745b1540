"""Reads a Keras model into a graph from the model's configuration, without running code.

The configuration is the JSON of `Model.to_json`, of config.json in a .keras file, or of the
attribute model_config in an older .h5 file.  It lists the layers, their inputs and their settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Graph, Node
from facekit.graph.read.keras_layers import KerasLayer
from facekit.types import Float32Array

ReadWeights: TypeAlias = Callable[[str], Sequence[Float32Array]]
"""Returns a layer's weights by the layer's name, in Keras's order."""


def read_keras_graph(model: Mapping[str, Any], read_weights: ReadWeights) -> Graph:
    """Returns the network from one image, (1, height, width, channels), to its only output.

    Batch norms keep their statistics.  Layers that act in training only, e.g. dropout, are left
    out.  Raises ModelBuildError, naming the layer, if the class or the settings of a layer are not
    supported, if its weights do not fit, if a layer is used twice, or if the output does not depend
    on a layer; and the exceptions of Python, such as KeyError, if the configuration is malformed.
    """
    config = model["config"]
    sequential = model["class_name"] == "Sequential"
    nodes: dict[str, Node] = {}
    used: set[str] = set()
    last: list[str] = []
    for layer in config["layers"]:
        kind, settings = layer["class_name"], layer["config"]
        name = settings["name"]
        if sequential and not nodes and kind != "InputLayer":  # Keras 2 has no input layer here
            nodes["image"] = _input(settings)
            last = ["image"]
        inputs = last if sequential else list(_references(layer["inbound_nodes"]))
        missing = [layer_input for layer_input in inputs if layer_input not in nodes]
        if missing or len(layer.get("inbound_nodes", ())) > 1:
            raise ModelBuildError(f"{name} is used twice, or reads {missing} before it is made.")
        used.update(inputs)
        if kind == "InputLayer":
            nodes[name] = _input(settings)
        else:
            keras_layer = KerasLayer(kind, settings, tuple(read_weights(name)))
            nodes[name] = keras_layer.node([nodes[layer_input] for layer_input in inputs])
        last = [name]
    outputs = last if sequential else list(_references(config["output_layers"]))
    if len(outputs) != 1:
        raise ModelBuildError(f"it must have one output. Received: {outputs}.")
    if idle := [name for name in nodes if name not in used and name not in outputs]:
        raise ModelBuildError(f"{idle[0]} leads to no output.")
    return Graph(config["name"], (nodes[outputs[0]],))


def list_layers(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the class and the name of each layer, in the model's order.

    Raises the exceptions of Python, such as KeyError, if the configuration is malformed.
    """
    return [(layer["class_name"], layer["config"]["name"]) for layer in model["config"]["layers"]]


def _references(value: Any) -> Iterator[str]:
    """Yields the names of the layers to which a configuration of Keras 2 or 3 refers."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            value = value["config"]["keras_history"]
        else:
            for inner in value.values():
                yield from _references(inner)
            return
    if isinstance(value, (list, tuple)):
        if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
            if value[1:3] != [0, 0]:
                raise ModelBuildError(f"{value[0]} is used twice, or has several outputs.")
            yield value[0]
            return
        for inner in value:
            yield from _references(inner)


def _input(settings: Mapping[str, Any]) -> Node:
    shape = settings.get("batch_shape") or settings["batch_input_shape"]
    if len(shape) != 4 or not all(shape[1:]):
        raise ModelBuildError(f"it must take images of static dimensions. Received: {shape}.")
    return operations.graph_input("image", (1, *shape[1:]))
