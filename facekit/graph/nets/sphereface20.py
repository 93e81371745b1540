"""SphereFace-20: computes an embedding of a 112 x 96 face (height x width).

Liu, Wen, Yu, Li, Raj, Song, "SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017
(arXiv:1704.08063), table 2, the 20-layer column.  There are four stages, each a 3 x 3 convolution
of stride 2 followed by residual units of two 3 x 3 convolutions.  Every convolution is followed by
a PReLU with one slope per channel.  A fully connected layer computes the embedding.  There is no
batch normalization, and no activation after an addition.

Layer names and initial weights are those of the authors' Caffe network (wy1iu/sphereface,
sphereface_model.prototxt) and of their checkpoints.
"""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph import moves, operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.names import node_name
from facekit.graph.weights import Weights, uniform

NAME = "sphereface20"
HEIGHT_PX = 112
WIDTH_PX = 96
FILTERS = (64, 128, 256, 512)
UNITS = (1, 2, 4, 1)
"""The number of residual units in each stage."""
_ABOVE_AND_LEFT = (1, 1, 0, 0)


def sphereface20(weights: Weights, *, embedding_size: int = 512) -> Graph:
    """Builds the network: (1, 112, 96, 3) float32 -> (1, embedding_size) float32.

    The embedding does not have unit length.  With 512 elements the network has 22,670,656
    parameters, all of which are trained, and 1,749,737,472 multiply-accumulates.
    """
    x = operations.graph_input("image", (1, HEIGHT_PX, WIDTH_PX, 3))
    for index, (filters, units) in enumerate(zip(FILTERS, UNITS, strict=True), start=1):
        x = _stage(x, weights, filters, units, index)
        # (1, 56, 48, 64), (1, 28, 24, 128), (1, 14, 12, 256), (1, 7, 6, 512)
    x = moves.flatten(x, node_name("flatten5", Operation.RESHAPE))
    embedding = operations.dense(  # input (1, 21504): rows, columns, channels
        x,
        weights.take("fc5/kernel", (x.shape[1], embedding_size)),
        node_name("fc5", Operation.DENSE),
        bias=weights.take("fc5/bias", (embedding_size,)),
    )
    return weights.graph(NAME, embedding)


def _stage(x: Node, weights: Weights, filters: int, units: int, index: int) -> Node:
    """Adds stage ConvN.x of table 2: (1, H, W, C) -> (1, H / 2, W / 2, filters)."""
    x = _conv(x, weights, filters, f"{index}_1", strided=True)
    for unit in range(units):
        x = _residual_unit(x, weights, filters, index, first=2 * unit + 2)
    return x


def _residual_unit(x: Node, weights: Weights, filters: int, index: int, *, first: int) -> Node:
    """Adds layers `first` and `first` + 1 of a stage, whose output is added to x."""
    branch = _conv(x, weights, filters, f"{index}_{first}")
    branch = _conv(branch, weights, filters, f"{index}_{first + 1}")
    return operations.add(x, branch, node_name(f"res{index}_{first + 1}", Operation.ADD))


def _conv(x: Node, weights: Weights, filters: int, number: str, *, strided: bool = False) -> Node:
    """Adds a 3 x 3 convolution with bias, and a PReLU."""
    layer = f"conv{number}"
    # NB: Caffe pads by one pixel on all sides, and does not use the last row and column of an even
    # height and width.  Padding above and on the left is therefore equivalent, whereas TensorFlow's
    # "SAME" pads below and on the right.
    x = operations.convolution(
        x,
        weights.take(f"{layer}/kernel", (3, 3, x.shape[3], filters)),
        node_name(layer, Operation.CONVOLUTION, bias=True),
        bias=weights.take(f"{layer}/bias", (filters,)),
        stride=(2, 2) if strided else (1, 1),
        pads=_ABOVE_AND_LEFT if strided else None,
    )
    slope = weights.take(f"relu{number}/alpha", (filters,))
    return operations.prelu(x, slope, node_name(f"relu{number}", Operation.PRELU))


def initial(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns an initial weight as in the authors' Caffe network.

    Kernels of the strided convolutions and of the last layer are Caffe's "xavier" (uniform with
    variance 1 / fan-in).  Kernels of residual units are Gaussian with a standard deviation of 0.01,
    so that a unit starts near the identity.  Slopes are 0.25, biases 0.
    """
    if name.endswith("/kernel"):
        if re.fullmatch(r"conv\d_1/kernel|fc5/kernel", name):
            return uniform(random, shape, 1 / prod(shape[:-1]))
        return random.normal(0, 0.01, shape)
    return np.full(shape, 0.25 if name.endswith("/alpha") else 0.0)
