"""Reads facenet's TensorFlow 1 checkpoints (model-*.ckpt-N.index and .data-*) into a graph.

The names of the variables determine their roles.  The .meta file with the training graph is
therefore not needed, and nothing is executed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.read.facenet_names import EMBEDDING_KERNEL, variable_source
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.read.tensor_bundle import CHECKPOINT, TABLE_MAGIC, read_index
from facekit.graph.weights import MAX_BYTES, WEIGHTS, SourceWeights, read_embedding_size
from facekit.system.inputs import open_input, reading

INDEX_SUFFIX = ".index"
_TRAINING_ONLY = re.compile(
    r"/(Adam|Adam_1|Adagrad|Adadelta|Adadelta_1|Momentum|RMSProp|RMSProp_1|RMSProp_2)$"
    r"|/ExponentialMovingAverage$"  # moving averages, which facenet does not use for inference
    r"|/avg$"  # running means of losses
    r"|^(global_step|learning_rate|beta1_power|beta2_power|centers|Variable(_\d+)?)$"
    r"|^Logits/"  # the classifier after the embedding
    r"|/(biased|local_step)$"  # of moving averages that start at zero
)
"""Variables of training, which an embedding network does not use."""


def is_checkpoint(path: Path) -> bool:
    """Returns whether the path is a checkpoint's index file, or a folder that contains one.

    Raises ModelBuildError if the file cannot be read.
    """
    if path.is_dir():
        return bool(_indices(path))
    with open_input(path, WEIGHTS) as file:
        file.seek(max(os.fstat(file.fileno()).st_size - len(TABLE_MAGIC), 0))
        return path.suffix == INDEX_SUFFIX and file.read(len(TABLE_MAGIC)) == TABLE_MAGIC


def checkpoint_files(path: Path) -> tuple[Path, ...]:
    """Returns the path of the index file that `path` is or contains, followed by the data files.

    Raises ModelBuildError if a folder contains several checkpoints or none, or if the data files
    are missing.
    """
    index = path
    if path.is_dir():
        indices = _indices(path)
        if len(indices) != 1:
            raise ModelBuildError(
                f"{path} holds {len(indices)} checkpoints. Name the one that is meant: "
                f"{', '.join(map(str, indices))}"
            )
        (index,) = indices
    data = sorted(index.parent.glob(f"{index.stem}.data-*"))
    if not data:
        raise ModelBuildError(f"{index} has no {index.stem}.data-* beside it.")
    return index, *data


def read_checkpoint(path: Path) -> ImportedNetwork:
    """Reads a checkpoint; `path` is its index file or folder.

    Raises ModelBuildError, naming file and tensor, if a file is damaged or too large, or a tensor
    is missing or does not fit.
    """
    index = checkpoint_files(path)[0]
    with reading(CHECKPOINT, index):
        variables = read_index(index)
        needed = {
            name: found for name, found in variables.items() if not _TRAINING_ONLY.search(name)
        }
        total_bytes = sum(found.size for found in needed.values() if found is not None)
        if total_bytes > MAX_BYTES:
            raise ValueError(f"its variables have {total_bytes} bytes; {MAX_BYTES} are allowed")
        tensors = {
            name: np.zeros(0, np.object_) if found is None else found.read()
            for name, found in needed.items()
        }
    size = read_embedding_size(tensors, EMBEDDING_KERNEL, axis=1, origin=index.name)
    weights = SourceWeights(tensors, variable_source, origin=index.name)
    graph = inception_resnet_v1(weights, embedding_size=size)
    ignored = tuple(sorted(variables.keys() - needed.keys()))
    return ImportedNetwork(graph, ignored, Architecture.INCEPTION_RESNET_V1)


def _indices(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{INDEX_SUFFIX}"))
