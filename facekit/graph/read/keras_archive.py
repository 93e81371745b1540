"""Keras's own files (.keras, .weights.h5, .h5) as a graph; no layer in them is built.

In Keras 3's files variables lie in layers/CLASS_K/vars/J: the J-th of the K-th layer of its class,
in the model's order; newer ones say the layer's name besides.  A .keras archive also has the
model's configuration; of weights alone the net must be one that facekit draws.  Keras 2's .h5 has
the configuration as an attribute, and lists each layer's weights by name.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.nets.sphereface20 import sphereface20
from facekit.graph.read.deepface_h5 import is_hdf5
from facekit.graph.read.keras_model import MISFITS, graph_of, layers_of
from facekit.graph.read.network import ReadNetwork
from facekit.graph.weights import MAX_BYTES, UNREADABLE, SourceWeights, Take
from facekit.system.extras import require
from facekit.types import Float32Array

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_MODEL = "model_config"
_NOT_OURS = re.compile(r"^optimizer/|/seed_generator/")
"""what training leaves in a file and an embedding net has no place for"""
_LEAVES = {"kernel": 0, "alpha": 0, "bias": 1, "beta": -3, "moving_mean": -2, "moving_variance": -1}
"""where Keras lists a layer's variables; a batch norm's gamma comes first where it has one"""
_NETS = {
    "Bottleneck": (Architecture.INCEPTION_RESNET_V1, inception_resnet_v1),
    "fc5": (Architecture.SPHEREFACE20, sphereface20),
}
"""by the layer that makes the embedding"""


def is_keras_model(path: Path) -> bool:
    """Whether it is a .keras file, or a whole model in an .h5."""
    return _is_archive(path) or _is_hdf5_with(path, lambda file: _MODEL in file.attrs)


def is_keras_weights(path: Path) -> bool:
    """Whether it is a .weights.h5 file of Keras 3."""
    return _is_hdf5_with(path, lambda file: hasattr(file.get("layers"), "keys"))


def _is_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {_WEIGHTS, _CONFIG} <= set(archive.namelist())
    except UNREADABLE:
        return False


def _is_hdf5_with(path: Path, has: Callable[[Any], bool]) -> bool:
    if not is_hdf5(path):
        return False
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    try:
        with h5py.File(path, "r") as file:
            return has(file)
    except OSError:
        return False


def read_keras(path: Path) -> ReadNetwork:
    """A whole model.  Raises ModelBuildError for a file that is damaged, or huge when unpacked,
    and for layers that are not known, naming the layer."""
    if _is_archive(path):
        content, model = _unpacked(path)
        with _opened(content, path) as file:
            tensors, ignored = _arrays(file, path)
            places = _places(file, _groups(layers_of(model)))
    else:
        with _opened(path, path) as file:
            tensors, ignored = _arrays(file, path)
            model = json.loads(file.attrs[_MODEL])
            places = {
                layer: [f"{group.name}/{name}"[1:] for name in group.attrs["weight_names"]]
                for layer, group in file["model_weights"].items()
            }
    return _of_model(model, tensors, ignored, places, path)


def read_keras_weights(path: Path) -> ReadNetwork:
    """Of a net that facekit draws.  Raises ModelBuildError naming the tensor that does not fit."""
    with _opened(path, path) as file:
        tensors, ignored = _arrays(file, path)
        places = _places(file, ())
    last = next((layer for layer in _NETS if layer in places), None)
    if last is None:
        raise ModelBuildError(
            f"{path.name} has weights without a network, of a net that facekit does not draw or "
            "from a Keras that leaves out the layers' names: save the whole model as .keras."
        )
    architecture, net = _NETS[last]

    def source_of(ours: str) -> Take | None:
        layer, _, leaf = ours.rpartition("/")
        listed = places.get(layer, [])
        if leaf == "gamma":
            return Take(listed[0]) if len(listed) == 4 else None
        place = _LEAVES[leaf]
        return Take(listed[place] if -len(listed) <= place < len(listed) else ours, _without_ones)

    kernel = tensors.get(places[last][0], np.zeros(0)) if places[last] else np.zeros(0)
    size = kernel.shape[-1] if kernel.ndim == 2 else 0
    weights = SourceWeights(tensors, source_of, origin=path.name)
    return ReadNetwork(net(weights, embedding_size=size), ignored, architecture)


def _of_model(
    model: Mapping[str, Any],
    tensors: dict[str, NDArray[Any]],
    ignored: tuple[str, ...],
    places: Mapping[str, list[str]],
    path: Path,
) -> ReadNetwork:
    used: set[str] = set()

    def weights_of(layer: str) -> list[Float32Array]:
        names = places.get(layer, [])
        used.update(names)
        return [tensors[name] for name in names]

    try:
        graph = graph_of(model, weights_of)
    except ModelBuildError as error:
        raise ModelBuildError(f"{path.name}: {error}") from error
    if left := sorted(tensors.keys() - used):
        raise ModelBuildError(
            f"{path.name} has tensors with no place in the graph: {', '.join(left[:3])}."
        )
    return ReadNetwork(graph, ignored)


def _unpacked(path: Path) -> tuple[io.BytesIO, dict[str, Any]]:
    """The weights and the configuration."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(archive.getinfo(name).file_size for name in (_WEIGHTS, _CONFIG))
            if size > MAX_BYTES:
                raise ModelBuildError(f"{path} has {size} bytes unpacked; {MAX_BYTES} are allowed.")
            return io.BytesIO(archive.read(_WEIGHTS)), json.loads(archive.read(_CONFIG))
    except (*UNREADABLE, *MISFITS) as error:
        raise ModelBuildError(f"{path} is damaged, or no Keras model of layers: {error}") from error


@contextmanager
def _opened(content: Path | io.BytesIO, path: Path) -> Iterator[Any]:
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    try:
        with h5py.File(content, "r") as file:
            yield file
    except (OSError, RuntimeError, *MISFITS) as error:
        raise ModelBuildError(f"{path} is no Keras model, or is damaged: {error}") from error


def _arrays(file: Any, path: Path) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The datasets by name; and the names of those that have no place in an embedding net."""
    arrays: dict[str, NDArray[Any]] = {}
    ignored: list[str] = []

    def visit(name: str, item: Any) -> None:
        if not hasattr(item, "dtype"):
            return
        if item.nbytes > MAX_BYTES:
            raise ModelBuildError(f"{path}: {name} has {item.nbytes} bytes.")
        if _NOT_OURS.search(name):
            ignored.append(name)
        else:
            arrays[name] = np.asarray(item)

    file.visititems(visit)
    return arrays, tuple(ignored)


def _places(file: Any, groups: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Each layer's datasets in order: by the names that are written beside them, or `groups`."""
    layers = file["layers"]
    named = {group: layers[group]["vars"].attrs.get("name") for group in layers}
    if None in named.values():
        named = {group: layer for layer, group in groups}
    return {
        layer: [f"layers/{group}/vars/{place}" for place in sorted(layers[group]["vars"], key=int)]
        for group, layer in named.items()
        if group in layers
    }


def _groups(layers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Each layer's name with its group: conv2d, conv2d_1, conv2d_2, batch_normalization, ..."""
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
    """A PReLU's (1, 1, channels) -> (channels,); kernels and vectors stay as they are."""
    return array.reshape(-1) if array.ndim == 3 else array
