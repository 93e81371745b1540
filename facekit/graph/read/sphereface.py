"""SphereFace-20's weights into our graph, from wy1iu's Caffe model or clcarwin's state_dict.

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

from facekit.graph.nets.sphereface20 import FILTERS, HEIGHT_PX, WIDTH_PX
from facekit.graph.read.caffe_model import is_caffe_model, read_caffe_model
from facekit.graph.read.torch_file import is_torch_file, mentions, read_state_dict
from facekit.graph.weights import (
    SourceWeights,
    Take,
    VariableSource,
    embedding_size_of,
    port,
)
from facekit.system.keras_backend import keras
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


def read_sphereface_caffe(path: Path) -> SourceWeights:
    """The Caffe model's tensors without its classifier's.  Raises ModelBuildError."""
    return _source_weights(read_caffe_model(path), caffe_name, origin=path.name)


def read_sphereface_pytorch(path: Path) -> SourceWeights:
    """The state_dict's tensors without its classifier's.

    Raises ModelBuildError, and MissingExtraError without PyTorch.
    """
    return _source_weights(read_state_dict(path), _pytorch_name, origin=path.name)


def caffe_name(layer: str, *, bias: bool) -> str:
    """The tensor's name as `read_caffe_model` makes it: conv1_1[0] is the kernel of conv1_1."""
    return f"{layer}[{int(bias)}]"


def _pytorch_name(layer: str, *, bias: bool) -> str:
    return f"{layer}.{'bias' if bias else 'weight'}"


def _source_weights(
    tensors: Mapping[str, NDArray[Any]], name_of: TensorName, *, origin: str
) -> SourceWeights:
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(CLASSIFIER)}
    return SourceWeights(
        embedding_size=embedding_size_of(kept, name_of("fc5", bias=False), axis=0, origin=origin),
        fill=lambda net: fill(net, kept, name_of, origin=origin),
        ignored=tuple(name for name in tensors if name not in kept),
    )


def fill(
    net: keras.Model, tensors: Mapping[str, NDArray[Any]], name_of: TensorName, *, origin: str
) -> None:
    """All variables of a `sphereface20`, from tensors of which none may be left over.

    Raises ModelBuildError naming the tensor; see `port`.
    """
    rules: dict[str, VariableSource] = {}
    for layer in net.layers:
        weight, bias = (name_of(layer.name, bias=which) for which in (False, True))
        if isinstance(layer, keras.layers.Conv2D):
            rules[f"{layer.name}/kernel"] = Take(weight, _height_width_in_out)
            rules[f"{layer.name}/bias"] = Take(bias)
        elif isinstance(layer, keras.layers.PReLU):
            rules[f"{layer.name}/alpha"] = Take(weight, _one_a_channel)
        elif isinstance(layer, keras.layers.Dense):
            rules[f"{layer.name}/kernel"] = Take(weight, _rows_columns_channels)
            rules[f"{layer.name}/bias"] = Take(bias)
    port(net, tensors, rules, origin=origin)


# A tensor of another shape than these expect is handed on as it is: port names the misfit.


def _height_width_in_out(kernel: Float32Array) -> Float32Array:
    """(out, in, height, width) -> (height, width, in, out)."""
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel


def _one_a_channel(slopes: Float32Array) -> Float32Array:
    """(channels,) -> (1, 1, channels)."""
    return slopes.reshape(1, 1, -1) if slopes.ndim == 1 else slopes


def _rows_columns_channels(weights: Float32Array) -> Float32Array:
    """(out, channels * rows * columns) -> (rows * columns * channels, out)."""
    if weights.ndim != 2 or weights.shape[1] != _CHANNELS * _ROWS * _COLUMNS:
        return weights
    apart = weights.reshape(-1, _CHANNELS, _ROWS, _COLUMNS).transpose(2, 3, 1, 0)
    return np.ascontiguousarray(apart.reshape(-1, len(weights)))
