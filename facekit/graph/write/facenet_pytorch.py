"""A graph as the state_dict that facenet-pytorch's InceptionResnetV1 loads, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.fold import folded
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.match import matched
from facekit.graph.nets.inception_resnet_v1 import (
    BATCH_NORM_EPSILON,
    RESIDUAL_SCALE_A,
    RESIDUAL_SCALE_B,
    RESIDUAL_SCALE_C,
    inception_resnet_v1,
)
from facekit.graph.read.facenet_pytorch import COUNTER, their_name
from facekit.graph.weights import FreshWeights
from facekit.graph.write.torch_file import torch_file

SIZE = 512
"""the only embedding that facenet-pytorch's net has"""
_SCALES = {"Block35": RESIDUAL_SCALE_A, "Block17": RESIDUAL_SCALE_B, "Block8": RESIDUAL_SCALE_C}


def to_facenet_pytorch(graph: Graph) -> bytes:
    """The file's content.

    Batch norms are folded into the kernels before them; each of theirs has a gamma of 1, a mean
    of 0 and a variance by which it divides by exactly one.
    Raises ModelBuildError naming the node at which the graph is another than theirs.
    """
    ones = FreshWeights(lambda _random, _name, shape: np.ones(shape), seed=0)
    ours = folded(inception_resnet_v1(ones, embedding_size=SIZE))
    try:
        theirs = matched(ours, folded(graph))
    except ModelBuildError as error:
        raise ModelBuildError(
            f"facenet-pytorch has one net, Inception-ResNet-v1 with {SIZE} numbers: {error}."
        ) from error
    arrays: dict[str, NDArray[Any]] = {}
    for node, same in theirs.items():
        if node.weights:
            arrays |= dict(_arrays(node.name.rpartition("/")[0], same))
    return torch_file(arrays)


def _arrays(layer: str, node: Node) -> Iterator[tuple[str, NDArray[Any]]]:
    """Of a layer that is called after the last of what was folded into it."""
    block, _, rest = layer.partition("_")
    scale = np.float32(_SCALES[block] if rest.endswith("_Scale") else 1)
    kernel, bias = (node.weights[role] / scale for role in ("kernel", "bias"))
    layer = layer.replace("_Scale", "_Conv2d_1x1")
    norm = layer.endswith("_BatchNorm")
    theirs = their_name(layer.removesuffix("_BatchNorm"))
    axes = (3, 2, 0, 1) if node.operation is Operation.CONVOLUTION else (1, 0)
    yield f"{theirs}.weight", kernel.transpose(axes)  # (out, in, height, width), or (out, in)
    if not norm:
        yield f"{theirs}.bias", bias
        return
    after = their_name(layer)
    yield f"{after}.weight", np.ones_like(bias)
    yield f"{after}.bias", bias
    yield f"{after}.running_mean", np.zeros_like(bias)
    yield f"{after}.running_var", np.full_like(bias, 1 - BATCH_NORM_EPSILON)
    yield f"{after}.{COUNTER}", np.zeros((), np.int64)
