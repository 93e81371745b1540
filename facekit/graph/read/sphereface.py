"""Reads SphereFace-20's weights into a graph, from wy1iu's Caffe model or clcarwin's state_dict.

https://github.com/wy1iu/sphereface, sphereface_model.caffemodel.
https://github.com/clcarwin/sphereface_pytorch, sphere20a_20171020.pth, which is published in a .7z
archive that must be unpacked first.  Both networks expect BGR input, (x - 127.5) / 128.

Both files store kernels as (out, in, height, width), one slope per channel, and the last layer's
weights as (out, in) for a flattened image in the order channels, rows, columns.  A `Graph` flattens
in the order rows, columns, channels.  The layers have wy1iu's names, in the graph too.
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
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.read.torch_file import is_torch_file, mentions_tensor, read_state_dict
from facekit.graph.weights import SourceWeights, Take, read_embedding_size, to_hwio
from facekit.types import Float32Array

CLASSIFIER = "fc6"
"""The classifier of the training, which an embedding network does not use."""
_HALVINGS = 4
_CHANNELS, _ROWS, _COLUMNS = FILTERS[-1], HEIGHT_PX >> _HALVINGS, WIDTH_PX >> _HALVINGS


class TensorName(Protocol):
    """Returns the name of a layer's tensor in a file format."""

    def __call__(self, layer: str, *, bias: bool) -> str: ...


def is_sphereface_caffe(path: Path) -> bool:
    """Returns whether the file is a Caffe model with SphereFace's layers."""
    return is_caffe_model(path, with_layer="relu1_1")


def is_sphereface_pytorch(path: Path) -> bool:
    """Returns whether the file is a PyTorch file with SphereFace's tensors."""
    return is_torch_file(path) and mentions_tensor(path, "relu1_1.weight")


def read_sphereface_caffe(path: Path) -> ImportedNetwork:
    """Reads the Caffe model without its classifier.

    Raises ModelBuildError, naming file and tensor, if a tensor is missing or does not fit.
    """
    return build_network(read_caffe_model(path), caffe_name, origin=path.name)


def read_sphereface_pytorch(path: Path) -> ImportedNetwork:
    """Reads the state_dict without its classifier.

    Raises ModelBuildError, naming file and tensor, if a tensor is missing or does not fit.
    """
    return build_network(read_state_dict(path), _pytorch_name, origin=path.name)


def caffe_name(layer: str, *, bias: bool) -> str:
    """Returns a tensor's name for `read_caffe_model`: conv1_1[0] is the kernel of conv1_1."""
    return f"{layer}[{int(bias)}]"


def _pytorch_name(layer: str, *, bias: bool) -> str:
    return f"{layer}.{'bias' if bias else 'weight'}"


def build_network(
    tensors: Mapping[str, NDArray[Any]], tensor_name: TensorName, *, origin: str
) -> ImportedNetwork:
    """Builds `sphereface20` from tensors.  Only the classifier's tensors may remain unused."""

    def source_of(ours: str) -> Take:
        layer, _, leaf = ours.rpartition("/")
        changes = {
            "kernel": _to_rows_columns_channels if layer == "fc5" else to_hwio,
        }
        return Take(tensor_name(layer, bias=leaf == "bias"), changes.get(leaf))

    ignored = tuple(name for name in tensors if name.startswith(CLASSIFIER))
    size = read_embedding_size(tensors, tensor_name("fc5", bias=False), axis=0, origin=origin)
    weights = SourceWeights(tensors, source_of, ignored=ignored, origin=origin)
    graph = sphereface20(weights, embedding_size=size)
    return ImportedNetwork(graph, ignored, Architecture.SPHEREFACE20)


def _to_rows_columns_channels(weights: Float32Array) -> Float32Array:
    """Converts (out, channels * rows * columns) to (rows * columns * channels, out)."""
    if weights.ndim != 2 or weights.shape[1] != _CHANNELS * _ROWS * _COLUMNS:
        return weights
    kernels = weights.reshape(-1, _CHANNELS, _ROWS, _COLUMNS).transpose(2, 3, 1, 0)
    return np.ascontiguousarray(kernels.reshape(-1, len(weights)))
