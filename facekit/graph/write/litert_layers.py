"""Writes LiteRT operators with weights (convolution, dense, batch norm) and pools."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError
from facekit.graph.fold import scale_and_offset, to_float32
from facekit.graph.graph import DYNAMIC, NO_PADS, Node, Operation, Shape, Window
from facekit.graph.litert_tables import filled
from facekit.graph.operations import same_pads
from facekit.graph.write.litert_elementwise import activation_code, output_tensor
from facekit.graph.write.litert_file import LiteRtFile, Writer
from facekit.graph.write.litert_moves import write_pad
from facekit.types import Float32Array

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_NON_NEGATIVE = (Operation.RELU, Operation.RELU6, Operation.SIGMOID, Operation.SOFTMAX)
_KEEP_DIMS_VERSION = 5  # the version of FULLY_CONNECTED that accepts more than two dimensions


def _convolution(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    kernel = node.weights["kernel"]
    *_, depth, filters = kernel.shape
    x, padding = _add_padding(file, node)
    options = {
        "padding": padding,
        "strideH": node.window.stride[0],
        "strideW": node.window.stride[1],
        "dilationHFactor": node.window.dilation[0],
        "dilationWFactor": node.window.dilation[1],
        "fusedActivationFunction": activation_code(fused),
    }
    name = (fused or node).name
    channels = node.inputs[0].shape[3]
    if depth == 1 < channels:  # one group per channel
        kernel = kernel.transpose(2, 0, 1, 3)  # (1, height, width, out)
        options["depthMultiplier"] = filters // channels
        code, table = _BUILTIN.DEPTHWISE_CONV_2D, filled(schema.DepthwiseConv2DOptionsT, **options)
        kind, version = _OPTIONS.DepthwiseConv2DOptions, 1 if max(node.window.dilation) == 1 else 2
    else:
        kernel = kernel.transpose(3, 0, 1, 2)  # (out, height, width, in / groups)
        code, table = _BUILTIN.CONV_2D, filled(schema.Conv2DOptionsT, **options)
        kind, version = _OPTIONS.Conv2DOptions, 1
    inputs = [x, file.add_constant(f"{name}/kernel", kernel), _bias(file, node, name, filters)]
    file.add_operator(
        code, inputs, output_tensor(file, node, fused), (kind, table), version=version
    )


def _dense(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    kernel, name = node.weights["kernel"], (fused or node).name
    inputs = [
        *file.input_tensors(node),
        file.add_constant(f"{name}/kernel", kernel.T),  # (out, in)
        _bias(file, node, name, kernel.shape[1]),
    ]
    keeps = len(node.shape) > 2
    table = filled(
        schema.FullyConnectedOptionsT,
        fusedActivationFunction=activation_code(fused),
        keepNumDims=keeps,
    )
    options = (_OPTIONS.FullyConnectedOptions, table)
    output, version = output_tensor(file, node, fused), _KEEP_DIMS_VERSION if keeps else 1
    file.add_operator(_BUILTIN.FULLY_CONNECTED, inputs, output, options, version=version)


def _bias(file: LiteRtFile, node: Node, name: str, units: int) -> int:
    """Adds the bias.

    A missing bias becomes zeros, because quantizers and old kernels require a bias.
    """
    return file.add_constant(f"{name}/bias", node.weights.get("bias", np.zeros(units, np.float32)))


def _batch_norm(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    """Writes a batch norm that is not folded as MUL and ADD, because LiteRT has no batch norm.

    The batch norm is not folded into the following layer, because the padding zeros of that layer
    are not shifted.
    """
    factor, offset = (
        file.add_constant(f"{node.name}/{role}", to_float32(np.asarray(values), node))
        for role, values in zip(("factor", "offset"), scale_and_offset(node), strict=True)
    )
    scaled = file.add_activation(node, name=f"{node.name}/scaled")
    options = (_OPTIONS.MulOptions, schema.MulOptionsT())
    file.add_operator(_BUILTIN.MUL, [*file.input_tensors(node), factor], scaled, options)
    table = filled(schema.AddOptionsT, fusedActivationFunction=activation_code(fused))
    shifted = output_tensor(file, node, fused)
    file.add_operator(_BUILTIN.ADD, [scaled, offset], shifted, (_OPTIONS.AddOptions, table))


def _max_pool(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    padding_value = np.finfo(np.float32).min
    if node.inputs[0].operation in _NON_NEGATIVE:
        padding_value = np.float32(0)  # no input is smaller
    x, padding = _add_padding(file, node, value=float(padding_value))
    _write_pool(file, node, _BUILTIN.MAX_POOL_2D, x, padding, file.add_activation(node))


def _average_pool(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    """Writes an average pool.

    LiteRT's average leaves out the pads of "SAME".  Other pads are written as zeros, and each mean
    is then multiplied by window size / number of elements inside the image.
    """
    x, padding = _add_padding(file, node)
    if padding == schema.Padding.SAME or node.window.pads == NO_PADS:
        _write_pool(file, node, _BUILTIN.AVERAGE_POOL_2D, x, padding, file.add_activation(node))
        return
    if DYNAMIC in node.shape[1:3]:
        raise ModelBuildError(
            f"{node.name}: LiteRT has no average pool padded by {node.window.pads} for images of "
            "dynamic height or width."
        )
    factor = file.add_constant(f"{node.name}/factor", _correction_factors(node))
    pooled = file.add_activation(node, name=f"{node.name}/pooled")
    _write_pool(file, node, _BUILTIN.AVERAGE_POOL_2D, x, padding, pooled)
    options = (_OPTIONS.MulOptions, schema.MulOptionsT())
    file.add_operator(_BUILTIN.MUL, [pooled, factor], file.add_activation(node), options)


def _correction_factors(node: Node) -> Float32Array:
    """Returns window size / number of the window's elements inside the image.

    The array is (1, height, width, 1).
    """
    window, pads = node.window, node.window.pads or NO_PADS
    counts = []
    for axis in (0, 1):
        dimension, first = node.inputs[0].shape[1 + axis], pads[axis]
        starts = np.arange(node.shape[1 + axis]) * window.stride[axis] - first
        ends = np.minimum(starts + window.size[axis], dimension)
        counts.append(ends - np.maximum(starts, 0))
    factors = window.size[0] * window.size[1] / np.outer(*counts)
    return factors.astype(np.float32)[None, :, :, None]


def _write_pool(file: LiteRtFile, node: Node, code: int, x: int, padding: int, output: int) -> None:
    window = node.window
    table = filled(
        schema.Pool2DOptionsT,
        padding=padding,
        strideH=window.stride[0],
        strideW=window.stride[1],
        filterHeight=window.size[0],
        filterWidth=window.size[1],
    )
    file.add_operator(code, [x], output, (_OPTIONS.Pool2DOptions, table))


def _builtin_padding(shape: Shape, window: Window) -> int | None:
    """Returns LiteRT's padding constant, or None if the padding needs a separate operator."""
    if window.pads == NO_PADS:
        return int(schema.Padding.VALID)
    if window.pads is None or (
        DYNAMIC not in shape[1:3] and same_pads(shape, window) == window.pads
    ):
        return int(schema.Padding.SAME)
    return None


def _add_padding(file: LiteRtFile, node: Node, *, value: float = 0.0) -> tuple[int, int]:
    """Returns the input tensor of a windowed operator, and LiteRT's padding constant.

    Pads for which LiteRT has no constant are added by a separate operator.
    """
    shape, window = node.inputs[0].shape, node.window
    padding = _builtin_padding(shape, window)
    if padding is not None:
        return file.input_tensors(node)[0], padding
    top, left, bottom, right = window.pads or NO_PADS
    height_width = (
        dimension if dimension == DYNAMIC else dimension + pad
        for dimension, pad in zip(shape[1:3], (top + bottom, left + right), strict=True)
    )
    padded = (shape[0], *height_width, shape[3])
    name = f"{node.name}/pad"
    x = write_pad(file, node, (top, left, bottom, right), name, padded, value=value)
    return x, int(schema.Padding.VALID)


LAYER_WRITERS: dict[Operation, Writer] = {
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.MAX_POOL: _max_pool,
    Operation.AVERAGE_POOL: _average_pool,
}
