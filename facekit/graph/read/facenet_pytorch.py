"""facenet-pytorch's InceptionResnetV1 (a state_dict) into our graph, and its names for it.

https://github.com/timesler/facenet-pytorch, models/inception_resnet_v1.py.  Layers lie there as
attributes and numbers within sequences: our Block35_2_Branch_1_Conv2d_0b_3x3 is
repeat_1.1.branch1.1 there.  Kernels are (out, in, height, width), the last layer's (out, in).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.torch_file import read_state_dict
from facekit.graph.weights import SourceWeights, Take, VariableSource, embedding_size_of, port
from facekit.system.keras_backend import keras
from facekit.types import Float32Array

CLASSIFIER = ("logits.weight", "logits.bias")
"""the layer after the embedding that its training had; it has no place in an embedding net"""
COUNTER = "num_batches_tracked"
"""of each batch norm: how many batches training has seen, which inference does not use"""

_REPEATS = {"35": "repeat_1", "17": "repeat_2", "8": "repeat_3"}


def read_facenet_pytorch(path: Path) -> SourceWeights:
    """Raises ModelBuildError, and MissingExtraError without PyTorch."""
    tensors = read_state_dict(path)
    ignored = tuple(
        name for name in tensors if name in CLASSIFIER or name.rpartition(".")[2] == COUNTER
    )
    kept = {name: tensor for name, tensor in tensors.items() if name not in ignored}
    return SourceWeights(
        embedding_size=embedding_size_of(kept, "last_linear.weight", axis=0, origin=path.name),
        fill=lambda net: _fill(net, kept, path.name),
        ignored=ignored,
    )


def state_dict_arrays(net: keras.Model) -> dict[str, NDArray[Any]]:
    """An `inception_resnet_v1`'s weights by facenet-pytorch's names, in its layout.

    Its batch norms have a gamma, which is 1 here, and count batches.
    """
    variables = {variable.path: variable.numpy() for variable in net.variables}
    arrays: dict[str, NDArray[Any]] = {}
    for layer in _with_weights(net):
        ours, theirs = layer.name, their_name(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            beta = variables[f"{ours}/beta"]
            arrays[f"{theirs}.weight"] = np.ones_like(beta)
            arrays[f"{theirs}.bias"] = beta
            arrays[f"{theirs}.running_mean"] = variables[f"{ours}/moving_mean"]
            arrays[f"{theirs}.running_var"] = variables[f"{ours}/moving_variance"]
            arrays[f"{theirs}.{COUNTER}"] = np.zeros((), np.int64)
        elif isinstance(layer, keras.layers.Conv2D):
            arrays[f"{theirs}.weight"] = variables[f"{ours}/kernel"].transpose(3, 2, 0, 1)
            if layer.use_bias:
                arrays[f"{theirs}.bias"] = variables[f"{ours}/bias"]
        elif isinstance(layer, keras.layers.Dense):
            arrays[f"{theirs}.weight"] = variables[f"{ours}/kernel"].T
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _with_weights(net: keras.Model) -> list[keras.Layer]:
    return [layer for layer in net.layers if layer.variables]


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


def _fill(net: keras.Model, tensors: dict[str, NDArray[Any]], origin: str) -> None:
    source = dict(tensors)
    rules: dict[str, VariableSource] = {}
    for layer in _with_weights(net):
        ours, theirs = layer.name, their_name(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            before = their_name(ours.removesuffix("_BatchNorm"))
            _fold_gamma(source, theirs, f"{before}.weight", origin)
            rules[f"{ours}/beta"] = Take(f"{theirs}.bias")
            rules[f"{ours}/moving_mean"] = Take(f"{theirs}.running_mean")
            rules[f"{ours}/moving_variance"] = Take(f"{theirs}.running_var")
        elif isinstance(layer, keras.layers.Conv2D):
            rules[f"{ours}/kernel"] = Take(f"{theirs}.weight", _height_width_in_out)
            if layer.use_bias:
                rules[f"{ours}/bias"] = Take(f"{theirs}.bias")
        elif isinstance(layer, keras.layers.Dense):
            rules[f"{ours}/kernel"] = Take(f"{theirs}.weight", np.transpose)
    port(net, source, rules, origin=origin)


def _fold_gamma(source: dict[str, NDArray[Any]], norm: str, kernel: str, origin: str) -> None:
    """Takes a batch norm's gamma out of it: our batch norms have none.

    gamma (Wx - m) / s = ((gamma W) x - gamma m) / s: kernel (out, ...) and mean (out,) are
    multiplied by gamma (out,), whatever its sign; a gamma of 1 changes nothing.
    """
    names = (f"{norm}.weight", kernel, f"{norm}.running_mean")
    if missing := [name for name in names if name not in source]:
        raise ModelBuildError(f"{origin} lacks the tensors {', '.join(missing)}.")
    gamma, weight, mean = (source[name] for name in names)
    for name, array in zip(names, (gamma, weight, mean), strict=True):
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ModelBuildError(
                f"{origin}: {name} must be float32 and finite throughout; it is {array.dtype}"
                f"{'' if array.dtype != np.float32 else ' and not finite'}."
            )
    if gamma.ndim != 1 or gamma.shape != mean.shape or weight.shape[:1] != gamma.shape:
        raise ModelBuildError(
            f"{origin}: {names[0]} of shape {gamma.shape} does not fit {kernel} of shape "
            f"{weight.shape}."
        )
    del source[names[0]]
    source[kernel] = weight * gamma.reshape(-1, *(1,) * (weight.ndim - 1))
    source[f"{norm}.running_mean"] = mean * gamma


def _height_width_in_out(kernel: Float32Array) -> Float32Array:
    """(out, in, height, width) -> (height, width, in, out); `port` names one of another shape."""
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
