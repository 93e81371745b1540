"""Reads Keras's files (.keras, .weights.h5, .h5) into a graph, without building a layer.

In Keras 3's files variables are stored as layers/CLASS_K/vars/J, i.e. variable J of layer K of its
class, in the model's order.  Newer files also store the layer's name.  A .keras archive also has
the model's configuration.  For a file of weights only, the architecture must be one of facekit's.
Keras 2's .h5 has the configuration as an attribute, and lists each layer's weights by name.
"""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.nets.sphereface20 import sphereface20
from facekit.graph.read.hdf5 import is_hdf5, list_datasets, open_hdf5, read_arrays
from facekit.graph.read.keras_model import list_layers, read_keras_graph
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.weights import MAX_BYTES, SourceWeights, Take, reading_graph
from facekit.system.inputs import InputKind, open_input, open_zip, parse_json, read_member
from facekit.types import Float32Array

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_MODEL = "model_config"
_KERAS = InputKind("a Keras model of layers", ModelBuildError, max_bytes=MAX_BYTES)
_TRAINING_ONLY = re.compile(r"^optimizer/|/seed_generator/")
"""Variables of training, which an embedding network does not use."""
_LEAVES = {"kernel": 0, "alpha": 0, "bias": 1, "beta": -3, "moving_mean": -2, "moving_variance": -1}
"""The position of a variable in Keras's list for a layer.

A batch norm may have a gamma at the first position.
"""
_NETS = {
    "Bottleneck": (Architecture.INCEPTION_RESNET_V1, inception_resnet_v1),
    "fc5": (Architecture.SPHEREFACE20, sphereface20),
}
"""The key is the layer that computes the embedding."""


def is_keras_model(path: Path) -> bool:
    """Returns whether the file is a .keras archive, or an .h5 file with a model's configuration.

    Raises ModelBuildError if it cannot be read.
    """
    return is_keras_archive(path) or _is_hdf5_with(path, lambda file: _MODEL in file.attrs)


def is_keras_weights(path: Path) -> bool:
    """Returns whether the file is a .weights.h5 file of Keras 3.

    Raises ModelBuildError if the file cannot be read.
    """
    return _is_hdf5_with(path, lambda file: hasattr(file.get("layers"), "keys"))


def is_keras_archive(path: Path) -> bool:
    """Returns whether the file is a .keras archive."""
    names: list[str] = []
    with (
        suppress(ModelBuildError),
        open_input(path, _KERAS) as file,
        open_zip(file, max_bytes=sys.maxsize) as archive,  # the size is told when it is read
    ):
        names = archive.namelist()
    return {_WEIGHTS, _CONFIG} <= set(names)


def _is_hdf5_with(path: Path, has: Callable[[Any], bool]) -> bool:
    if not is_hdf5(path):
        return False
    with suppress(ModelBuildError), open_hdf5(path) as file:
        return has(file)
    return False


def read_keras(path: Path) -> ImportedNetwork:
    """Reads a model with its configuration.

    Raises ModelBuildError if the file is damaged or too large, or if a layer, which the message
    names, is not supported, and MissingExtraError if h5py is not installed.
    """
    with _open_weights(path) as (file, config):
        tensors, ignored = _read_tensors(file)
        if config is not None:
            model = parse_json(config)
            datasets = _datasets_by_layer(file, _groups(list_layers(model)))
        else:
            model = parse_json(file.attrs[_MODEL])
            datasets = {
                layer: [f"{group.name}/{name}"[1:] for name in group.attrs["weight_names"]]
                for layer, group in file["model_weights"].items()
            }
    return _build_network(model, tensors, ignored, datasets, path)


def read_keras_weights(path: Path) -> ImportedNetwork:
    """Reads the weights of one of facekit's architectures.

    Raises ModelBuildError, naming the tensor, if a tensor does not fit, and MissingExtraError if
    h5py is not installed.
    """
    with _open_weights(path) as (file, _):
        tensors, ignored = _read_tensors(file)
        datasets = _datasets_by_layer(file, ())
    last = next((layer for layer in _NETS if layer in datasets), None)
    if last is None:
        raise ModelBuildError(
            f"{path.name} has weights without a network, of a net that facekit does not draw or "
            "from a Keras that leaves out the layers' names: save the whole model as .keras."
        )
    architecture, net = _NETS[last]

    def source_of(ours: str) -> Take | None:
        layer, _, leaf = ours.rpartition("/")
        names = datasets.get(layer, [])
        if leaf == "gamma":
            return Take(names[0]) if len(names) == 4 else None
        position = _LEAVES[leaf]
        return Take(
            names[position] if -len(names) <= position < len(names) else ours, _without_ones
        )

    kernel = tensors.get(datasets[last][0], np.zeros(0)) if datasets[last] else np.zeros(0)
    size = kernel.shape[-1] if kernel.ndim == 2 else 0
    weights = SourceWeights(tensors, source_of, origin=path.name)
    return ImportedNetwork(net(weights, embedding_size=size), ignored, architecture)


def _build_network(
    model: Mapping[str, Any],
    tensors: dict[str, NDArray[Any]],
    ignored: tuple[str, ...],
    datasets: Mapping[str, list[str]],
    path: Path,
) -> ImportedNetwork:
    used: set[str] = set()

    def weights_of(layer: str) -> list[Float32Array]:
        names = datasets.get(layer, [])
        used.update(names)
        return [tensors[name] for name in names]

    with reading_graph(_KERAS, path):
        graph = read_keras_graph(model, weights_of)
    if unused := sorted(tensors.keys() - used):
        raise ModelBuildError(
            f"{path.name} has tensors with no place in the graph: {', '.join(unused[:3])}."
        )
    return ImportedNetwork(graph, ignored)


@contextmanager
def _open_weights(path: Path) -> Iterator[tuple[Any, bytes | None]]:
    """Opens the HDF5 file that `path` is or, if it is a .keras archive, holds, and yields it.

    The second value is the configuration in the archive, None for an HDF5 file.
    Raises ModelBuildError for everything that is raised in the context.
    """
    content = config = None
    if not is_hdf5(path):
        with (
            open_input(path, _KERAS) as packed,
            open_zip(packed, max_bytes=MAX_BYTES) as archive,
        ):
            content = io.BytesIO(read_member(archive, _WEIGHTS))
            config = read_member(archive, _CONFIG)
    with open_hdf5(path, content, kind=_KERAS) as file:
        yield file, config


def _read_tensors(file: Any) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Returns the datasets by name, and the names of the datasets of training only."""
    datasets = list_datasets(file)
    needed = {name: found for name, found in datasets.items() if not _TRAINING_ONLY.search(name)}
    return read_arrays(needed), tuple(name for name in datasets if name not in needed)


def _datasets_by_layer(file: Any, groups: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Returns the names of each layer's datasets in order.

    A layer's group is found by the layer name stored in the file, or by `groups` in older files.
    """
    layers = file["layers"]
    named = {group: layers[group]["vars"].attrs.get("name") for group in layers}
    if None in named.values():
        named = {group: layer for layer, group in groups}
    return {
        layer: [f"layers/{group}/vars/{index}" for index in sorted(layers[group]["vars"], key=int)]
        for group, layer in named.items()
        if group in layers
    }


def _groups(layers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Yields each layer's name with its group: conv2d, conv2d_1, conv2d_2,
    batch_normalization, ..."""
    seen: Counter[str] = Counter()
    for class_name, name in layers:
        words = re.sub(
            r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
        )
        group = re.sub(r"\W", "", words).lower()
        count = seen[group]
        seen[group] += 1
        yield name, f"{group}_{count}" if count else group


def _without_ones(array: Float32Array) -> Float32Array:
    """Reshapes a PReLU's (1, 1, channels) to (channels,), and returns other arrays unchanged."""
    return array.reshape(-1) if array.ndim == 3 else array
