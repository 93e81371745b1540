"""Reads deepface's Facenet checkpoints (Keras weights in HDF5) into a graph.

The file has one group per layer.  Each group contains one dataset per variable, e.g. "kernel:0".
The layers have the same names as in facekit, with one exception: in Block17_k and in the first
five Block8_k deepface writes `Branch_k` for the second branch.  Files with `Branch_1` throughout
are read as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.weights import MAX_BYTES, SourceWeights, Take, read_embedding_size
from facekit.system.extras import require

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SECOND_BRANCH = re.compile(r"^(Block(?:17|8)_(\d+))_Branch_\2_")


def is_hdf5(path: Path) -> bool:
    """Returns whether the file begins with the HDF5 signature.

    Raises OSError if the file cannot be read.
    """
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def read_deepface(path: Path) -> ImportedNetwork:
    """Reads a checkpoint with embeddings of any length; deepface's have 128 or 512 elements.

    Raises ModelBuildError, naming file and tensor, if a tensor is missing or does not fit, and
    MissingExtraError if h5py is not installed.
    """
    tensors = read_variables(path)
    size = read_embedding_size(tensors, "Bottleneck/kernel", axis=1, origin=path.name)
    weights = SourceWeights(tensors, _dataset_source, origin=path.name)
    graph = inception_resnet_v1(weights, embedding_size=size)
    return ImportedNetwork(graph, architecture=Architecture.INCEPTION_RESNET_V1)


def read_variables(path: Path) -> dict[str, NDArray[Any]]:
    """Returns every dataset by facekit's name of the weight.

    An example of a name is "Block17_3_Branch_1_Conv2d_0a_1x1/kernel".

    Raises ModelBuildError if the file is not HDF5, or if two datasets have the same name.
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
            # A saved model has its weights in a group "model_weights".
            inner = file.get("model_weights")
            (inner if isinstance(inner, h5py.Group) else file).visititems(visit)
    except (OSError, RuntimeError) as error:
        raise ModelBuildError(f"{path} is not an HDF5 file, or is damaged: {error}") from error
    return variables


def _dataset_source(ours: str) -> Take | None:
    return None if ours.endswith("/gamma") else Take(ours)


def _our_name(dataset: str) -> str:
    layer, *_, leaf = dataset.split("/")
    ours = _SECOND_BRANCH.sub(r"\1_Branch_1_", layer)
    return f"{ours}/{leaf.removesuffix(':0')}"
