"""facenet-pytorch's InceptionResnetV1 (a state_dict) as a graph, and its names for the layers.

https://github.com/timesler/facenet-pytorch, models/inception_resnet_v1.py.  Layers lie there as
attributes and numbers within sequences: our Block35_2_Branch_1_Conv2d_0b_3x3 is
repeat_1.1.branch1.1 there.  Kernels are (out, in, height, width), the last layer's (out, in).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from facekit.enums import Architecture
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.read.network import ReadNetwork
from facekit.graph.read.torch_file import read_state_dict
from facekit.graph.weights import SourceWeights, Take, embedding_size_of, height_width_in_out

CLASSIFIER = ("logits.weight", "logits.bias")
"""the layer after the embedding that its training had; it has no place in an embedding net"""
COUNTER = "num_batches_tracked"
"""of each batch norm: how many batches training has seen, which inference does not use"""

_REPEATS = {"35": "repeat_1", "17": "repeat_2", "8": "repeat_3"}
_NORM_LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def read_facenet_pytorch(path: Path) -> ReadNetwork:
    """Its batch norms have gammas.  Raises ModelBuildError naming file and tensor."""
    tensors = read_state_dict(path)
    ignored = tuple(
        name for name in tensors if name in CLASSIFIER or name.rpartition(".")[2] == COUNTER
    )
    size = embedding_size_of(tensors, "last_linear.weight", axis=0, origin=path.name)
    weights = SourceWeights(tensors, _tensor_of, ignored=ignored, origin=path.name)
    graph = inception_resnet_v1(weights, embedding_size=size)
    return ReadNetwork(graph, ignored, Architecture.INCEPTION_RESNET_V1)


def _tensor_of(ours: str) -> Take:
    layer, _, leaf = ours.rpartition("/")
    theirs = their_name(layer)
    if leaf in _NORM_LEAVES:
        return Take(f"{theirs}.{_NORM_LEAVES[leaf]}")
    if leaf == "bias":
        return Take(f"{theirs}.bias")
    return Take(f"{theirs}.weight", np.transpose if layer == "Bottleneck" else height_width_in_out)


def their_name(layer: str) -> str:
    """Block35_2_Branch_1_Conv2d_0b_3x3_BatchNorm -> repeat_1.1.branch1.1.bn."""
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
            return f"{within}.conv2d"  # back to the block's depth, with a bias and no batch norm
        return f"{within}.{_branch(block, rest)}.{part}"
    return layer


def _branch(block: str, rest: str) -> str:
    """Branch_1_Conv2d_0b_3x3 -> branch1.1; a branch of one convolution is no sequence."""
    found = re.fullmatch(r"Branch_(\d)_Conv2d_(?:(\d[a-z])_)?\dx\d", rest)
    assert found is not None, f"{block}_{rest}"
    branch, letter = f"branch{found[1]}", found[2]
    single = letter is None or (block == "Mixed_6a" and found[1] == "0")
    if single:
        return branch
    return f"{branch}.{_index(block, int(found[1]), letter)}"


def _index(block: str, branch: int, letter: str) -> int:
    if letter == "1a":  # the convolution that halves the sides ends its branch
        return 2 if (block, branch) in (("Mixed_6a", 1), ("Mixed_7a", 2)) else 1
    return {"0a": 0, "0b": 1, "0c": 2}[letter]
