"""A Keras model as a graph, by its configuration: no layer of it is built, and nothing is run.

A configuration is what `Model.to_json` gives, what a .keras file has as config.json, and an older
.h5 file as model_config.  It lists the layers, what each reads, and their settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Graph, Node
from facekit.graph.read.keras_layers import KerasLayer
from facekit.types import Float32Array

WeightsOf: TypeAlias = Callable[[str], Sequence[Float32Array]]
"""a layer's weights by its name, in Keras's order"""
MISFITS = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""what comes of a configuration that Keras does not write"""


def graph_of(model: Mapping[str, Any], weights_of: WeightsOf) -> Graph:
    """The network from one picture, (1, height, width, channels), to its one output.

    Batch norms keep their statistics; what only training does, such as dropout, is left out.
    Raises ModelBuildError naming the layer: of a class or form that is not known, with weights
    that do not fit it, used twice, or leading to no output.
    """
    try:
        return _graph(model, weights_of)
    except MISFITS as error:
        raise ModelBuildError(f"it is no Keras model of layers: {error!r}.") from error


def layers_of(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Class and name of each layer, in the model's order.  Raises one of MISFITS."""
    return [(layer["class_name"], layer["config"]["name"]) for layer in model["config"]["layers"]]


def _graph(model: Mapping[str, Any], weights_of: WeightsOf) -> Graph:
    config = model["config"]
    sequential = model["class_name"] == "Sequential"
    made: dict[str, Node] = {}
    read: set[str] = set()
    last: list[str] = []
    for layer in config["layers"]:
        kind, settings = layer["class_name"], layer["config"]
        name = settings["name"]
        if sequential and not made and kind != "InputLayer":  # as Keras 2 wrote it
            made["image"] = _input(settings)
            last = ["image"]
        inputs = last if sequential else list(_references(layer["inbound_nodes"]))
        missing = [one for one in inputs if one not in made]
        if missing or len(layer.get("inbound_nodes", ())) > 1:
            raise ModelBuildError(f"{name} is used twice, or reads {missing} before it is made.")
        read.update(inputs)
        if kind == "InputLayer":
            made[name] = _input(settings)
        else:
            layer_made = KerasLayer(kind, settings, tuple(weights_of(name)))
            made[name] = layer_made.node([made[one] for one in inputs])
        last = [name]
    outputs = last if sequential else list(_references(config["output_layers"]))
    if len(outputs) != 1:
        raise ModelBuildError(f"it must have one output. Received: {outputs}.")
    if idle := [name for name in made if name not in read and name not in outputs]:
        raise ModelBuildError(f"{idle[0]} leads to no output.")
    return Graph(config["name"], (made[outputs[0]],))


def _references(value: Any) -> Iterator[str]:
    """The layers whose outputs are named: as Keras 3 and as Keras 2 write it."""
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
        raise ModelBuildError(f"it must take pictures of known sides. Received: {shape}.")
    return operations.graph_input("image", (1, *shape[1:]))
