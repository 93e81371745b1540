"""facenet's frozen TensorFlow graph, its convolutions' batch norms folded, into our graph.

The file is read as a protocol buffer; nothing in it is executed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from facekit.errors import ModelBuildError
from facekit.host.backend import keras, tf
from facekit.host.nets.inception_resnet_v1 import (
    BATCH_NORM_EPSILON,
    RESIDUAL_SCALE_A,
    RESIDUAL_SCALE_B,
    RESIDUAL_SCALE_C,
)
from facekit.host.weights.port import Fill, Rule, Take, port
from facekit.types import Float32Array

_ROOT = "InceptionResnetV1"
_BOTTLENECK = {
    "Bottleneck/kernel": Take(f"{_ROOT}/Bottleneck/weights"),
    "Bottleneck_BatchNorm/beta": Take(f"{_ROOT}/Bottleneck/BatchNorm/beta"),
    "Bottleneck_BatchNorm/moving_mean": Take(f"{_ROOT}/Bottleneck/BatchNorm/moving_mean"),
    "Bottleneck_BatchNorm/moving_variance": Take(f"{_ROOT}/Bottleneck/BatchNorm/moving_variance"),
}
_FIXED = {
    # The bottleneck's batch norm has no gamma; the frozen operation wants one all the same.
    f"{_ROOT}/Bottleneck/BatchNorm/Const": 1.0,
    f"{_ROOT}/Block8/mul/x": 1.0,
    **{f"{_ROOT}/Repeat/block35_{k}/mul/x": RESIDUAL_SCALE_A for k in range(1, 6)},
    **{f"{_ROOT}/Repeat_1/block17_{k}/mul/x": RESIDUAL_SCALE_B for k in range(1, 11)},
    **{f"{_ROOT}/Repeat_2/block8_{k}/mul/x": RESIDUAL_SCALE_C for k in range(1, 6)},
}
_IGNORED = ("embeddings/Maximum/y",)
"""Least length in the unit-length step after the embedding, which is not part of our graph."""


def load_folded_frozen_graph(model: keras.Model, path: Path) -> None:
    """Fills an `inception_resnet_v1`.  Raises ModelBuildError naming file and tensor."""
    rules: dict[str, Rule] = dict(_BOTTLENECK)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            rules |= _convolution(layer)
    port(
        model,
        read_constants(path),
        rules,
        expected=_FIXED,
        ignored=_IGNORED,
        origin=path.name,
    )


def read_constants(path: Path) -> dict[str, Float32Array]:
    """Every float32 constant by node name; integer constants are shapes and axes.

    Raises ModelBuildError for a file that is not a graph.
    """
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
        tensors = {
            node.name: tf.make_ndarray(node.attr["value"].tensor)
            for node in graph.node
            if node.op == "Const"
        }
    except (OSError, DecodeError, ValueError, TypeError) as error:
        raise ModelBuildError(f"{path} is not a frozen TensorFlow graph: {error}") from error
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype == np.float32}


def _convolution(layer: keras.layers.Conv2D) -> dict[str, Rule]:
    """Rules for a convolution and, where it has no bias of its own, its batch norm.

    Folding left kernel * gamma / sqrt(variance + epsilon) as the kernel and the rest as an
    offset.  With mean 0 and variance 1 - epsilon the batch norm divides by exactly one.
    """
    scope = _scope(layer.name)
    kernel = {f"{layer.name}/kernel": Take(f"{scope}/weights")}
    if layer.use_bias:
        return {**kernel, f"{layer.name}/bias": Take(f"{scope}/biases")}
    norm = f"{layer.name}_BatchNorm"
    return {
        **kernel,
        f"{norm}/beta": Take(f"{scope}/Conv2D_bn_offset"),
        f"{norm}/moving_mean": Fill(0.0),
        f"{norm}/moving_variance": Fill(1.0 - BATCH_NORM_EPSILON),
    }


def _scope(layer_name: str) -> str:
    """Block8_2_Branch_0_Conv2d_1x1 -> InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1."""
    scope = re.sub(r"(Branch_\d+|Mixed_\d[a-z])_", r"\1/", layer_name)
    scope = scope.replace("Block8_6_", "Block8/")
    for block, repeat in (("35", "Repeat"), ("17", "Repeat_1"), ("8", "Repeat_2")):
        scope = re.sub(rf"^Block{block}_(\d+)_", rf"{repeat}/block{block}_\1/", scope)
    return f"{_ROOT}/{scope}"
