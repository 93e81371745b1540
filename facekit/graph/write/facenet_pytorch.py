"""Writes a graph as the state_dict of facenet-pytorch's InceptionResnetV1, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.fold import fold_batch_norms
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.match import match_nodes
from facekit.graph.nets.inception_resnet_v1 import (
    BATCH_NORM_EPSILON,
    RESIDUAL_SCALE_A,
    RESIDUAL_SCALE_B,
    RESIDUAL_SCALE_C,
    inception_resnet_v1,
)
from facekit.graph.read.facenet_pytorch import COUNTER, facenet_pytorch_name
from facekit.graph.weights import FreshWeights
from facekit.graph.write.torch_file import write_torch_file

EMBEDDING_SIZE = 512
"""The only embedding length that facenet-pytorch's network has."""
_SCALES = {"Block35": RESIDUAL_SCALE_A, "Block17": RESIDUAL_SCALE_B, "Block8": RESIDUAL_SCALE_C}


def to_facenet_pytorch(graph: Graph) -> bytes:
    """Returns the content of a state_dict file.

    Batch norms are folded into the kernels before them.  In the file each batch norm has a gamma of
    1, a mean of 0 and the variance 1 - epsilon, so that it divides by exactly one.

    Raises ModelBuildError, naming the node, if the graph differs from facenet-pytorch's network.
    """
    ones = FreshWeights(lambda _random, _name, shape: np.ones(shape), seed=0)
    ours = fold_batch_norms(inception_resnet_v1(ones, embedding_size=EMBEDDING_SIZE))
    try:
        theirs = match_nodes(ours, fold_batch_norms(graph))
    except ModelBuildError as error:
        raise ModelBuildError(
            f"facenet-pytorch has one network, Inception-ResNet-v1 with an embedding of "
            f"{EMBEDDING_SIZE} numbers: {error}."
        ) from error
    arrays: dict[str, NDArray[Any]] = {}
    for node, same in theirs.items():
        if node.weights:
            arrays |= dict(_arrays(node.name.rpartition("/")[0], same))
    return write_torch_file(arrays)


def _arrays(layer: str, node: Node) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the tensors of a layer, which has the name of the last layer folded into it."""
    block, _, rest = layer.partition("_")
    scale = np.float32(_SCALES[block] if rest.endswith("_Scale") else 1)
    kernel, bias = (node.weights[role] / scale for role in ("kernel", "bias"))
    layer = layer.replace("_Scale", "_Conv2d_1x1")
    norm = layer.endswith("_BatchNorm")
    theirs = facenet_pytorch_name(layer.removesuffix("_BatchNorm"))
    axes = (3, 2, 0, 1) if node.operation is Operation.CONVOLUTION else (1, 0)
    yield f"{theirs}.weight", kernel.transpose(axes)  # (out, in, height, width), or (out, in)
    if not norm:
        yield f"{theirs}.bias", bias
        return
    after = facenet_pytorch_name(layer)
    yield f"{after}.weight", np.ones_like(bias)
    yield f"{after}.bias", bias
    yield f"{after}.running_mean", np.zeros_like(bias)
    yield f"{after}.running_var", np.full_like(bias, 1 - BATCH_NORM_EPSILON)
    yield f"{after}.{COUNTER}", np.zeros((), np.int64)
