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

from numpy.typing import NDArray

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.read.hdf5 import list_datasets, open_hdf5, read_arrays
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.weights import SourceWeights, Take, read_embedding_size

_SECOND_BRANCH = re.compile(r"^(Block(?:17|8)_(\d+))_Branch_\2_")


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

    Raises ModelBuildError if the file is not HDF5, is damaged, or has anything but numbers, or if
    two datasets have the same name.
    """
    variables: dict[str, NDArray[Any]] = {}
    with open_hdf5(path) as file:
        # A saved model has its weights in a group "model_weights".
        inner = file.get("model_weights")
        group = inner if hasattr(inner, "visititems") else file
        for name, array in read_arrays(list_datasets(group)).items():
            ours = _our_name(name)
            if ours in variables:
                raise ModelBuildError(f"{path.name} holds {ours} twice, once as {name}.")
            variables[ours] = array
    return variables


def _dataset_source(ours: str) -> Take | None:
    return None if ours.endswith("/gamma") else Take(ours)


def _our_name(dataset: str) -> str:
    layer, *_, leaf = dataset.split("/")
    ours = _SECOND_BRANCH.sub(r"\1_Branch_1_", layer)
    return f"{ours}/{leaf.removesuffix(':0')}"
