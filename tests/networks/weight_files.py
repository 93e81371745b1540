"""The embedding net's weights in the files that Keras writes, written here by h5py alone."""

from __future__ import annotations

from pathlib import Path

import h5py

from facekit.graph.graph import Graph, Operation
from facekit.graph.names import keras_layer_name
from facekit.types import Float32Array


def write_h5(facenet: Graph, path: Path) -> Path:
    """By the names of deepface and of ours."""
    with h5py.File(path, "w") as file:
        for layer, leaf, weight in named_weights(facenet):
            file[f"{layer}/{layer}/{leaf}:0"] = weight
    return path


def write_keras_weights(facenet: Graph, path: Path) -> Path:
    """As Keras 3 does, whose layers are numbered by their class."""
    groups: dict[str, str] = {}
    kinds = {Operation.CONVOLUTION: "conv2d", Operation.DENSE: "dense"}
    for number, node in enumerate(facenet.nodes):
        groups[keras_layer_name(node)] = (
            f"{kinds.get(node.operation, 'batch_normalization')}_{number}"
        )
    with h5py.File(path, "w") as file:
        for layer, _, weight in named_weights(facenet):
            variables = file.require_group(f"layers/{groups[layer]}/vars")
            variables.attrs["name"] = layer
            variables[str(len(variables))] = weight
    return path


def named_weights(facenet: Graph) -> list[tuple[str, str, Float32Array]]:
    leaves = {"mean": "moving_mean", "variance": "moving_variance"}
    return [
        (keras_layer_name(node), leaves.get(role, role), weight)
        for node in facenet.nodes
        for role, weight in node.weights.items()
        if role != "constant"
    ]
