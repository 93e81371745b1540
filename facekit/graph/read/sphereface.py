"""SphereFace-20's weights as a graph, from wy1iu's Caffe model or clcarwin's state_dict.

https://github.com/wy1iu/sphereface, sphereface_model.caffemodel.
https://github.com/clcarwin/sphereface_pytorch, sphere20a_20171020.pth, which is published in a .7z
archive: unpack that first.  Either net is fed BGR, (x - 127.5) / 128.

Both have kernels as (out, in, height, width), a slope a channel, and the last layer's weights as
(out, in) over a picture that was flattened as channels, rows, columns; ours is flattened as rows,
columns, channels.  Layers are called as in our graph: the names are wy1iu's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Architecture
from facekit.graph.nets.sphereface20 import FILTERS, HEIGHT_PX, WIDTH_PX, sphereface20
from facekit.graph.read.caffe_model import is_caffe_model, read_caffe_model
from facekit.graph.read.network import ReadNetwork
from facekit.graph.read.torch_file import is_torch_file, mentions, read_state_dict
from facekit.graph.weights import SourceWeights, Take, embedding_size_of, height_width_in_out
from facekit.types import Float32Array

CLASSIFIER = "fc6"
"""the layer after the embedding that training had; it has no place in an embedding net"""
_HALVINGS = 4
_CHANNELS, _ROWS, _COLUMNS = FILTERS[-1], HEIGHT_PX >> _HALVINGS, WIDTH_PX >> _HALVINGS


class TensorName(Protocol):
    """What a format calls a layer's tensor."""

    def __call__(self, layer: str, *, bias: bool) -> str: ...


def is_sphereface_caffe(path: Path) -> bool:
    """Whether it is a Caffe model with SphereFace's layers."""
    return is_caffe_model(path, with_layer="relu1_1")


def is_sphereface_pytorch(path: Path) -> bool:
    """Whether it is a PyTorch file with SphereFace's tensors."""
    return is_torch_file(path) and mentions(path, "relu1_1.weight")


def read_sphereface_caffe(path: Path) -> ReadNetwork:
    """The Caffe model without its classifier.  Raises ModelBuildError naming file and tensor."""
    return network_of(read_caffe_model(path), caffe_name, origin=path.name)


def read_sphereface_pytorch(path: Path) -> ReadNetwork:
    """The state_dict without its classifier.  Raises ModelBuildError naming file and tensor."""
    return network_of(read_state_dict(path), _pytorch_name, origin=path.name)


def caffe_name(layer: str, *, bias: bool) -> str:
    """The tensor's name as `read_caffe_model` makes it: conv1_1[0] is the kernel of conv1_1."""
    return f"{layer}[{int(bias)}]"


def _pytorch_name(layer: str, *, bias: bool) -> str:
    return f"{layer}.{'bias' if bias else 'weight'}"


def network_of(
    tensors: Mapping[str, NDArray[Any]], name_of: TensorName, *, origin: str
) -> ReadNetwork:
    """A `sphereface20` of tensors, of which none but the classifier's may be left over."""

    def source_of(ours: str) -> Take:
        layer, _, leaf = ours.rpartition("/")
        changes = {
            "kernel": _rows_columns_channels if layer == "fc5" else height_width_in_out,
        }
        return Take(name_of(layer, bias=leaf == "bias"), changes.get(leaf))

    ignored = tuple(name for name in tensors if name.startswith(CLASSIFIER))
    size = embedding_size_of(tensors, name_of("fc5", bias=False), axis=0, origin=origin)
    weights = SourceWeights(tensors, source_of, ignored=ignored, origin=origin)
    graph = sphereface20(weights, embedding_size=size)
    return ReadNetwork(graph, ignored, Architecture.SPHEREFACE20)


def _rows_columns_channels(weights: Float32Array) -> Float32Array:
    """(out, channels * rows * columns) -> (rows * columns * channels, out)."""
    if weights.ndim != 2 or weights.shape[1] != _CHANNELS * _ROWS * _COLUMNS:
        return weights
    apart = weights.reshape(-1, _CHANNELS, _ROWS, _COLUMNS).transpose(2, 3, 1, 0)
    return np.ascontiguousarray(apart.reshape(-1, len(weights)))
