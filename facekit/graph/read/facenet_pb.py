"""The weights of facenet's frozen graph as a graph of ours, to be trained further or converted.

As trained, or with its batch norms folded.  Nothing in the file is executed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from facekit.enums import Architecture
from facekit.graph.nets.inception_resnet_v1 import BATCH_NORM_EPSILON, inception_resnet_v1
from facekit.graph.read.facenet_names import (
    EMBEDDING_KERNEL,
    RESIDUAL_SCALES,
    ROOT,
    scope_of,
    variable_of,
)
from facekit.graph.read.graph_def import read_constants
from facekit.graph.read.network import ReadNetwork
from facekit.graph.weights import Fill, SourceWeights, Take, embedding_size_of
from facekit.types import Float32Array

_FOLDED_OFFSET = "Conv2D_bn_offset"
_IGNORED = re.compile(
    r"^embeddings/"  # the unit-length step after the embedding, which is not part of our graph
    rf"|^{ROOT}/Logits/Dropout/"  # acts in training only
    r"|/BatchNorm/(.*/)?AssignMovingAvg(_\d+)?/"  # how training moves mean and variance
)
_EPSILON = re.compile(r"/BatchNorm/(.*/)?batchnorm(_\d+)?/add/y$")
_BATCH_NORM_CONSTANT = re.compile(r"/BatchNorm/(.*/)?Const(_\d+)?$")
"""What stands for the gamma that these batch norms do not have; or nothing, as FusedBatchNorm
wants for mean and variance in training"""


_FIRST_NODE = re.compile(rb"\x0a[\x80-\xff]*[\x00-\x7f]\x0a([\x01-\x7f])", re.DOTALL)
"""field 1 of a graph with its length, then field 1 of the node with the length of the name"""
_BOTTLENECK_GAMMA = f"{ROOT}/Bottleneck/BatchNorm/Const"


def is_graph(path: Path) -> bool:
    """Whether the file is a GraphDef: nodes, each beginning with its name and its operation.

    Judged by the first node, so that a file that was cut off is still known for what it was.
    """
    with path.open("rb") as file:
        head = file.read(1 << 10)
    node = _FIRST_NODE.match(head)
    if node is None:
        return False
    operation = node.end() + node[1][0]  # after the name
    length = head[operation + 1 : operation + 2]
    return head[operation : operation + 1] == b"\x12" and bool(
        length and head[operation + 2 : operation + 2 + length[0]].isalnum()
    )


def read_frozen_graph(path: Path) -> ReadNetwork:
    """Either kind of graph.  Raises ModelBuildError naming file and tensor."""
    constants = read_constants(path)
    size = embedding_size_of(constants, EMBEDDING_KERNEL, axis=1, origin=path.name)
    if any(name.endswith(_FOLDED_OFFSET) for name in constants):
        ignored = tuple(name for name in constants if _IGNORED.search(name))
        # The bottleneck's batch norm has no gamma; the frozen operation wants one all the same.
        expected, source_of = {**RESIDUAL_SCALES, _BOTTLENECK_GAMMA: 1.0}, _folded_source
    else:
        ignored = tuple(name for name, value in constants.items() if _is_bookkeeping(name, value))
        expected = {**RESIDUAL_SCALES, **_batch_norm_numbers(constants, ignored)}
        source_of = variable_of
    weights = SourceWeights(
        constants, source_of, expected=expected, ignored=ignored, origin=path.name
    )
    graph = inception_resnet_v1(weights, embedding_size=size)
    return ReadNetwork(graph, ignored, Architecture.INCEPTION_RESNET_V1)


def _folded_source(ours: str) -> Take | Fill | None:
    """Folding left kernel * gamma / sqrt(variance + epsilon) as the kernel, the rest as an offset.

    With mean 0 and variance 1 - epsilon the batch norm divides by exactly one.  The bottleneck's
    was not folded.
    """
    layer, _, leaf = ours.rpartition("/")
    convolution = layer.removesuffix("_BatchNorm")
    if convolution in (layer, "Bottleneck"):
        return variable_of(ours)
    if leaf == "beta":
        return Take(f"{scope_of(convolution)}/{_FOLDED_OFFSET}")
    numbers = {"moving_mean": 0.0, "moving_variance": 1.0 - BATCH_NORM_EPSILON}
    return Fill(numbers[leaf]) if leaf in numbers else None


def _is_bookkeeping(name: str, value: Float32Array) -> bool:
    placeholder = value.size <= 1 and _BATCH_NORM_CONSTANT.search(name) is not None
    return placeholder or _IGNORED.search(name) is not None


def _batch_norm_numbers(
    constants: Mapping[str, Float32Array], ignored: tuple[str, ...]
) -> dict[str, float]:
    """What the batch norms of a graph as trained have as constants, with the value needed."""
    numbers: dict[str, float] = {}
    for name in constants.keys() - set(ignored):
        if _BATCH_NORM_CONSTANT.search(name):
            numbers[name] = 1.0
        elif _EPSILON.search(name):
            numbers[name] = BATCH_NORM_EPSILON
    return numbers
