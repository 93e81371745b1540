"""deepface's Facenet checkpoints (Keras weights in HDF5) into our graph.

The file has one group a layer, with one dataset a variable ("kernel:0") at its end.  Layers are
called as ours are, with one exception: in Block17_k and in the first five Block8_k deepface
writes `Branch_k` for the second branch.  Files with `Branch_1` throughout are read as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.weights import (
    MAX_BYTES,
    SourceWeights,
    Take,
    VariableSource,
    embedding_size_of,
    port,
)
from facekit.system.extras import require
from facekit.system.keras_backend import keras

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SECOND_BRANCH = re.compile(r"^(Block(?:17|8)_(\d+))_Branch_\2_")


def is_hdf5(path: Path) -> bool:
    """By the signature at its beginning."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def read_deepface(path: Path) -> SourceWeights:
    """A checkpoint of 128 or 512 numbers.  Raises ModelBuildError naming the file."""
    tensors = read_variables(path)
    return SourceWeights(
        embedding_size=embedding_size_of(tensors, "Bottleneck/kernel", axis=1, origin=path.name),
        fill=lambda net: _fill(net, tensors, path.name),
    )


def load_deepface_h5(model: keras.Model, path: Path) -> None:
    """Fills an `inception_resnet_v1`.  Raises ModelBuildError naming file and tensor."""
    _fill(model, read_variables(path), path.name)


def read_variables(path: Path) -> dict[str, NDArray[Any]]:
    """Every dataset by our name for it, "Block17_3_Branch_1_Conv2d_0a_1x1/kernel".

    Raises ModelBuildError for a file that is not HDF5, or two datasets of one name.
    """
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    variables: dict[str, NDArray[Any]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            ours = _our_name(name)
            if ours in variables:
                raise ModelBuildError(f"{path.name} holds {ours} twice, once as {name}.")
            if item.nbytes > MAX_BYTES:
                raise ModelBuildError(f"{path.name}: {name} has {item.nbytes} bytes.")
            variables[ours] = np.asarray(item)

    try:
        with h5py.File(path, "r") as file:
            # A whole saved model keeps its weights one level down.
            inner = file.get("model_weights")
            (inner if isinstance(inner, h5py.Group) else file).visititems(visit)
    except (OSError, RuntimeError) as error:
        raise ModelBuildError(f"{path} is not an HDF5 file, or is damaged: {error}") from error
    return variables


def _fill(net: keras.Model, tensors: dict[str, NDArray[Any]], origin: str) -> None:
    rules: dict[str, VariableSource] = {
        variable.path: Take(variable.path) for variable in net.variables
    }
    port(net, tensors, rules, origin=origin)


def _our_name(dataset: str) -> str:
    layer, *_, leaf = dataset.split("/")
    ours = _SECOND_BRANCH.sub(r"\1_Branch_1_", layer)
    return f"{ours}/{leaf.removesuffix(':0')}"
