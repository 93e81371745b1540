"""Reads the weights of facenet's frozen graph into a graph for training or conversion.

The frozen graph may have batch norms as trained, or folded ones.  Nothing in the file is executed.
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
    scope_name,
    variable_source,
)
from facekit.graph.read.graph_def import read_constants
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.weights import WEIGHTS, Fill, SourceWeights, Take, read_embedding_size
from facekit.system.inputs import open_input
from facekit.types import Float32Array

_FOLDED_OFFSET = "Conv2D_bn_offset"
_IGNORED = re.compile(
    r"^embeddings/"  # the L2 normalization after the embedding, which is left out
    rf"|^{ROOT}/Logits/Dropout/"  # acts in training only
    r"|/BatchNorm/(.*/)?AssignMovingAvg(_\d+)?/"  # updates of mean and variance in training
)
_EPSILON = re.compile(r"/BatchNorm/(.*/)?batchnorm(_\d+)?/add/y$")
_BATCH_NORM_CONSTANT = re.compile(r"/BatchNorm/(.*/)?Const(_\d+)?$")
"""A constant that replaces the gamma, which these batch norms do not have, or an empty constant
that replaces the mean and variance, which FusedBatchNorm computes in training."""


_FIRST_NODE = re.compile(rb"\x0a[\x80-\xff]*[\x00-\x7f]\x0a([\x01-\x7f])", re.DOTALL)
"""Field 1 of a graph with its length, then field 1 of the node with the length of the name."""
_BOTTLENECK_GAMMA = f"{ROOT}/Bottleneck/BatchNorm/Const"


def is_graph(path: Path) -> bool:
    """Returns whether the file is a GraphDef, i.e. nodes that begin with a name and an operation.

    Only the first node is examined, so that a truncated file is still recognized.  Raises
    ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        head = file.read(1 << 10)
    node = _FIRST_NODE.match(head)
    if node is None:
        return False
    operation = node.end() + node[1][0]  # after the name
    length = head[operation + 1 : operation + 2]
    return head[operation : operation + 1] == b"\x12" and bool(
        length and head[operation + 2 : operation + 2 + length[0]].isalnum()
    )


def read_frozen_graph(path: Path) -> ImportedNetwork:
    """Reads a graph with trained or with folded batch norms.

    Raises ModelBuildError, naming file and tensor, if a tensor is missing or does not fit.
    """
    constants = read_constants(path)
    size = read_embedding_size(constants, EMBEDDING_KERNEL, axis=1, origin=path.name)
    if any(name.endswith(_FOLDED_OFFSET) for name in constants):
        ignored = tuple(name for name in constants if _IGNORED.search(name))
        # The bottleneck's batch norm has no gamma, but the frozen operation requires one.
        expected, source_of = {**RESIDUAL_SCALES, _BOTTLENECK_GAMMA: 1.0}, _folded_source
    else:
        ignored = tuple(name for name, value in constants.items() if _is_bookkeeping(name, value))
        expected = {**RESIDUAL_SCALES, **_batch_norm_constants(constants, ignored)}
        source_of = variable_source
    weights = SourceWeights(
        constants, source_of, expected=expected, ignored=ignored, origin=path.name
    )
    graph = inception_resnet_v1(weights, embedding_size=size)
    return ImportedNetwork(graph, ignored, Architecture.INCEPTION_RESNET_V1)


def _folded_source(ours: str) -> Take | Fill | None:
    """Returns the source of a weight in a graph with folded batch norms.

    Such a graph stores kernel * gamma / sqrt(variance + epsilon) as the kernel, and an offset.  A
    mean of 0 and a variance of 1 - epsilon make the batch norm divide by exactly one.  The
    bottleneck's batch norm is not folded.
    """
    layer, _, leaf = ours.rpartition("/")
    convolution = layer.removesuffix("_BatchNorm")
    if convolution in (layer, "Bottleneck"):
        return variable_source(ours)
    if leaf == "beta":
        return Take(f"{scope_name(convolution)}/{_FOLDED_OFFSET}")
    values = {"moving_mean": 0.0, "moving_variance": 1.0 - BATCH_NORM_EPSILON}
    return Fill(values[leaf]) if leaf in values else None


def _is_bookkeeping(name: str, value: Float32Array) -> bool:
    placeholder = value.size <= 1 and _BATCH_NORM_CONSTANT.search(name) is not None
    return placeholder or _IGNORED.search(name) is not None


def _batch_norm_constants(
    constants: Mapping[str, Float32Array], ignored: tuple[str, ...]
) -> dict[str, float]:
    """Returns the names of the batch norms' constants with the values that they must have."""
    values: dict[str, float] = {}
    for name in constants.keys() - set(ignored):
        if _BATCH_NORM_CONSTANT.search(name):
            values[name] = 1.0
        elif _EPSILON.search(name):
            values[name] = BATCH_NORM_EPSILON
    return values
