"""LiteRT operators that have weights, or that go over a picture in windows."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError
from facekit.graph.fold import in_float32, line_of
from facekit.graph.graph import NO_PADS, OPEN, Node, Operation, Shape, Window
from facekit.graph.operations import same_pads
from facekit.graph.write.litert_file import LiteRtFile, Writer
from facekit.graph.write.litert_moves import write_pad
from facekit.graph.write.litert_numbers import activation, given
from facekit.types import Float32Array

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_NEVER_BELOW_ZERO = (Operation.RELU, Operation.RELU6, Operation.SIGMOID, Operation.SOFTMAX)
_KEEPS_SIDES = 5  # the version of a dense layer that reads more than vectors


def _convolution(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    kernel = node.weights["kernel"]
    *_, depth, filters = kernel.shape
    x, padding = _padded(file, node)
    options = {
        "padding": padding,
        "strideH": node.window.stride[0],
        "strideW": node.window.stride[1],
        "dilationHFactor": node.window.dilation[0],
        "dilationWFactor": node.window.dilation[1],
        "fusedActivationFunction": activation(fused),
    }
    name = (fused or node).name
    channels = node.inputs[0].shape[3]
    if depth == 1 < channels:  # as many groups as channels
        kernel = kernel.transpose(2, 0, 1, 3)  # (1, height, width, out)
        options["depthMultiplier"] = filters // channels
        code, table = _BUILTIN.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(**options)
        kind, version = _OPTIONS.DepthwiseConv2DOptions, 1 if max(node.window.dilation) == 1 else 2
    else:
        kernel = kernel.transpose(3, 0, 1, 2)  # (out, height, width, in / groups)
        code, table = _BUILTIN.CONV_2D, schema.Conv2DOptionsT(**options)
        kind, version = _OPTIONS.Conv2DOptions, 1
    inputs = [x, file.constant(f"{name}/kernel", kernel), _bias(file, node, name, filters)]
    file.operator(code, inputs, given(file, node, fused), (kind, table), version=version)


def _dense(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    kernel, name = node.weights["kernel"], (fused or node).name
    inputs = [
        *file.read_by(node),
        file.constant(f"{name}/kernel", kernel.T),  # (out, in)
        _bias(file, node, name, kernel.shape[1]),
    ]
    keeps = len(node.shape) > 2
    table = schema.FullyConnectedOptionsT(
        fusedActivationFunction=activation(fused), keepNumDims=keeps
    )
    options = (_OPTIONS.FullyConnectedOptions, table)
    output, version = given(file, node, fused), _KEEPS_SIDES if keeps else 1
    file.operator(_BUILTIN.FULLY_CONNECTED, inputs, output, options, version=version)


def _bias(file: LiteRtFile, node: Node, name: str, units: int) -> int:
    """Zeros where there is none: quantizers and old kernels want one."""
    return file.constant(f"{name}/bias", node.weights.get("bias", np.zeros(units, np.float32)))


def _batch_norm(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    """One that follows no convolution or dense layer: LiteRT has no operator for it.

    It is not folded into what reads it, either: zeros that are padded there are not shifted.
    """
    factor, offset = (
        file.constant(f"{node.name}/{role}", in_float32(np.asarray(numbers), node))
        for role, numbers in zip(("factor", "offset"), line_of(node), strict=True)
    )
    scaled = file.computed(node, name=f"{node.name}/scaled")
    options = (_OPTIONS.MulOptions, schema.MulOptionsT())
    file.operator(_BUILTIN.MUL, [*file.read_by(node), factor], scaled, options)
    table = schema.AddOptionsT(fusedActivationFunction=activation(fused))
    shifted = given(file, node, fused)
    file.operator(_BUILTIN.ADD, [scaled, offset], shifted, (_OPTIONS.AddOptions, table))


def _max_pool(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    least = np.finfo(np.float32).min
    if node.inputs[0].operation in _NEVER_BELOW_ZERO:
        least = np.float32(0)  # which no pixel is less than
    x, padding = _padded(file, node, value=float(least))
    _write_pool(file, node, _BUILTIN.MAX_POOL_2D, x, padding, file.computed(node))


def _average_pool(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    """LiteRT does not count the pads of its own either.  For others zeros are put around, and the
    mean of each window is made larger by the part of it that they fill."""
    x, padding = _padded(file, node)
    if padding == schema.Padding.SAME or node.window.pads == NO_PADS:
        _write_pool(file, node, _BUILTIN.AVERAGE_POOL_2D, x, padding, file.computed(node))
        return
    if OPEN in node.shape[1:3]:
        raise ModelBuildError(
            f"{node.name}: LiteRT has no average pool padded by {node.window.pads} for pictures of "
            "open sides."
        )
    factor = file.constant(f"{node.name}/factor", _shares(node))
    pooled = file.computed(node, name=f"{node.name}/pooled")
    _write_pool(file, node, _BUILTIN.AVERAGE_POOL_2D, x, padding, pooled)
    options = (_OPTIONS.MulOptions, schema.MulOptionsT())
    file.operator(_BUILTIN.MUL, [pooled, factor], file.computed(node), options)


def _shares(node: Node) -> Float32Array:
    """By how many times a window is larger than what of the picture lies in it:
    (1, height, width, 1)."""
    window, pads = node.window, node.window.pads or NO_PADS
    counts = []
    for place in (0, 1):
        side, first = node.inputs[0].shape[1 + place], pads[place]
        starts = np.arange(node.shape[1 + place]) * window.stride[place] - first
        ends = np.minimum(starts + window.size[place], side)
        counts.append(ends - np.maximum(starts, 0))
    shares = window.size[0] * window.size[1] / np.outer(*counts)
    return shares.astype(np.float32)[None, :, :, None]


def _write_pool(file: LiteRtFile, node: Node, code: int, x: int, padding: int, output: int) -> None:
    window = node.window
    table = schema.Pool2DOptionsT(
        padding=padding,
        strideH=window.stride[0],
        strideW=window.stride[1],
        filterHeight=window.size[0],
        filterWidth=window.size[1],
    )
    file.operator(code, [x], output, (_OPTIONS.Pool2DOptions, table))


def _padding(shape: Shape, window: Window) -> int | None:
    """LiteRT's kind of padding, or None where it takes an operator of its own."""
    if window.pads == NO_PADS:
        return int(schema.Padding.VALID)
    if window.pads is None or (OPEN not in shape[1:3] and same_pads(shape, window) == window.pads):
        return int(schema.Padding.SAME)
    return None


def _padded(file: LiteRtFile, node: Node, *, value: float = 0.0) -> tuple[int, int]:
    """What a window goes over, and its kind of padding; pads are put around where LiteRT has no
    such kind."""
    shape, window = node.inputs[0].shape, node.window
    padding = _padding(shape, window)
    if padding is not None:
        return file.read_by(node)[0], padding
    top, left, bottom, right = window.pads or NO_PADS
    wider = (
        side if side == OPEN else side + by
        for side, by in zip(shape[1:3], (top + bottom, left + right), strict=True)
    )
    padded = (shape[0], *wider, shape[3])
    name = f"{node.name}/pad"
    x = write_pad(file, node, (top, left, bottom, right), name, padded, value=value)
    return x, int(schema.Padding.VALID)


LAYERS: dict[Operation, Writer] = {
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.MAX_POOL: _max_pool,
    Operation.AVERAGE_POOL: _average_pool,
}
