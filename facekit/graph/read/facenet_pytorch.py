"""Reads facenet-pytorch's InceptionResnetV1 (a state_dict) into a graph.

The source is https://github.com/timesler/facenet-pytorch, models/inception_resnet_v1.py.  A layer's
name there consists of attributes and of indices within sequences, e.g. facekit's
Block35_2_Branch_1_Conv2d_0b_3x3 is repeat_1.1.branch1.1.  Kernels are (out, in, height, width), the
last layer's is (out, in).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from facekit.enums import Architecture
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.read.torch_file import read_state_dict
from facekit.graph.weights import SourceWeights, Take, read_embedding_size, to_hwio

CLASSIFIER = ("logits.weight", "logits.bias")
"""The classifier of the training, which an embedding network does not use."""
COUNTER = "num_batches_tracked"
"""The number of batches in training, stored with each batch norm; inference does not use it."""

_REPEATS = {"35": "repeat_1", "17": "repeat_2", "8": "repeat_3"}
_NORM_LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def read_facenet_pytorch(path: Path) -> ImportedNetwork:
    """Reads the state_dict.  Its batch norms have gammas.

    Raises ModelBuildError, naming file and tensor, if a tensor is missing or does not fit.
    """
    tensors = read_state_dict(path)
    ignored = tuple(
        name for name in tensors if name in CLASSIFIER or name.rpartition(".")[2] == COUNTER
    )
    size = read_embedding_size(tensors, "last_linear.weight", axis=0, origin=path.name)
    weights = SourceWeights(tensors, _tensor_source, ignored=ignored, origin=path.name)
    graph = inception_resnet_v1(weights, embedding_size=size)
    return ImportedNetwork(graph, ignored, Architecture.INCEPTION_RESNET_V1)


def _tensor_source(ours: str) -> Take:
    layer, _, leaf = ours.rpartition("/")
    theirs = facenet_pytorch_name(layer)
    if leaf in _NORM_LEAVES:
        return Take(f"{theirs}.{_NORM_LEAVES[leaf]}")
    if leaf == "bias":
        return Take(f"{theirs}.bias")
    return Take(f"{theirs}.weight", np.transpose if layer == "Bottleneck" else to_hwio)


def facenet_pytorch_name(layer: str) -> str:
    """Returns facenet-pytorch's name of a layer.

    Block35_2_Branch_1_Conv2d_0b_3x3_BatchNorm -> repeat_1.1.branch1.1.bn.
    """
    if layer == "Bottleneck":
        return "last_linear"
    if layer == "Bottleneck_BatchNorm":
        return "last_bn"
    convolution = layer.removesuffix("_BatchNorm")
    part = "bn" if convolution != layer else "conv"
    if found := re.fullmatch(r"Conv2d_(\d[a-z])_\dx\d", convolution):
        return f"conv2d_{found[1]}.{part}"
    if found := re.fullmatch(r"(Block(\d+)_(\d+)|Mixed_\d[a-z])_(.*)", convolution):
        block, kind, number, rest = found.groups()
        within = f"{_REPEATS[kind]}.{int(number) - 1}" if kind else block.lower()
        if block == "Block8_6":
            within = "block8"
        if rest == "Conv2d_1x1":
            # the convolution to the block's depth, with a bias and without a batch norm
            return f"{within}.conv2d"
        return f"{within}.{_branch(block, rest)}.{part}"
    return layer


def _branch(block: str, rest: str) -> str:
    """Returns Branch_1_Conv2d_0b_3x3 -> branch1.1.  A branch of one convolution has no index."""
    found = re.fullmatch(r"Branch_(\d)_Conv2d_(?:(\d[a-z])_)?\dx\d", rest)
    assert found is not None, f"{block}_{rest}"
    branch, letter = f"branch{found[1]}", found[2]
    single = letter is None or (block == "Mixed_6a" and found[1] == "0")
    if single:
        return branch
    return f"{branch}.{_index(block, int(found[1]), letter)}"


def _index(block: str, branch: int, letter: str) -> int:
    if letter == "1a":  # the convolution with stride 2 is the last of its branch
        return 2 if (block, branch) in (("Mixed_6a", 1), ("Mixed_7a", 2)) else 1
    return {"0a": 0, "0b": 1, "0c": 2}[letter]
