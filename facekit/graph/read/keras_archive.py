"""Keras 3's own files (.keras, .weights.h5) into our graph; no layer in them is built.

Variables lie in layers/CLASS_K/vars/J: the J-th of the K-th layer of its class, in the order of
the graph's layers.  A .keras archive also lists the layers' names, by which they are found where
they are ours, whatever their order.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.weights import MAX_BYTES, SourceWeights, Take, VariableSource, port
from facekit.system.extras import require
from facekit.system.keras_backend import keras

_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_NOT_OURS = re.compile(r"^optimizer/|/seed_generator/")
"""what training leaves in a file and an embedding net has no place for"""


def is_keras_archive(path: Path) -> bool:
    """Whether it is a .keras file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {_WEIGHTS, _CONFIG} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def is_keras_weights(path: Path) -> bool:
    """Whether it is a .weights.h5 file of Keras 3."""
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    try:
        with h5py.File(path, "r") as file:
            return isinstance(file.get("layers"), h5py.Group)
    except OSError:
        return False


def read_keras(path: Path) -> SourceWeights:
    """Raises ModelBuildError for a file that is damaged, or huge when unpacked."""
    names: list[tuple[str, str]] = []
    file: Path | io.BytesIO = path
    if is_keras_archive(path):
        file, names = _unpacked(path)
    tensors, ignored = {}, []
    for name, array in _datasets(file, path).items():
        if _NOT_OURS.search(name):
            ignored.append(name)
        else:
            tensors[name] = array
    matrices = [name for name, array in tensors.items() if array.ndim == 2]
    if len(matrices) != 1:
        raise ModelBuildError(
            f"{path.name} must hold one dense layer, the embedding's. Matrices in it: "
            f"{', '.join(matrices) or 'none'}."
        )
    return SourceWeights(
        embedding_size=tensors[matrices[0]].shape[1],
        fill=lambda net: port(net, tensors, _rules(net, names), origin=path.name),
        ignored=tuple(ignored),
    )


def _unpacked(path: Path) -> tuple[io.BytesIO, list[tuple[str, str]]]:
    """The weights, and class and name of each layer."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(archive.getinfo(name).file_size for name in (_WEIGHTS, _CONFIG))
            if size > MAX_BYTES:
                raise ModelBuildError(f"{path} has {size} bytes unpacked; {MAX_BYTES} are allowed.")
            config = json.loads(archive.read(_CONFIG))
            return io.BytesIO(archive.read(_WEIGHTS)), [
                (layer["class_name"], layer["config"]["name"])
                for layer in config["config"]["layers"]
            ]
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ModelBuildError(f"{path} is damaged, or no Keras model of layers: {error}") from error


def _datasets(file: Path | io.BytesIO, path: Path) -> dict[str, NDArray[Any]]:
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    arrays: dict[str, NDArray[Any]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            if item.nbytes > MAX_BYTES:
                raise ModelBuildError(f"{path}: {name} has {item.nbytes} bytes.")
            arrays[name] = np.asarray(item)

    try:
        with h5py.File(file, "r") as opened:
            opened.visititems(visit)
    except (OSError, RuntimeError) as error:
        raise ModelBuildError(f"{path} is not an HDF5 file, or is damaged: {error}") from error
    return arrays


def _rules(net: keras.Model, theirs: list[tuple[str, str]]) -> dict[str, VariableSource]:
    ours = [(type(layer).__name__, layer.name) for layer in net.layers]
    listed = theirs if {name for _, name in ours} <= {name for _, name in theirs} else ours
    groups = dict(_groups(listed))
    return {
        variable.path: Take(f"layers/{groups[layer.name]}/vars/{index}")
        for layer in net.layers
        for index, variable in enumerate(layer.variables)
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
