"""A graph as a float32 LiteRT file, without TensorFlow.

Sides that the graph leaves open stay open.  Batch norms, factors and offsets are folded, and
activations fused with what they follow, as LiteRT's own converters do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError
from facekit.graph.fold import folded, in_float32, line_of
from facekit.graph.graph import NO_PADS, OPEN, Graph, Node, Operation, Pads, Shape, Window
from facekit.graph.operations import same_pads
from facekit.graph.write.litert_file import LiteRtFile

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_FUSING = (
    Operation.CONVOLUTION,
    Operation.DENSE,
    Operation.BATCH_NORM,
    Operation.ADD,
    Operation.MULTIPLY,
)


def to_litert(graph: Graph) -> bytes:
    """The file's content.  Raises ModelBuildError for what LiteRT has no operator for."""
    file = LiteRtFile(graph.name)
    graph = folded(graph)
    fused = _fused_activations(graph)
    for node in graph.nodes:
        if node in fused.values():
            file.tensors_of[node.name] = file.tensors_of[node.inputs[0].name]
        else:
            _WRITERS[node.operation](file, node, fused.get(node))
    return file.packed(graph)


def _fused_activations(graph: Graph) -> dict[Node, Node]:
    """The ReLU that becomes part of a node, by that node: its only reader."""
    readers = graph.readers
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if node.operation is Operation.RELU
        and node.inputs[0].operation in _FUSING
        and readers[node.inputs[0]] == 1
    }


def _input(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    file.computed(node)


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
        "fusedActivationFunction": _activation(fused),
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
    file.operator(code, inputs, _given(file, node, fused), (kind, table), version=version)


def _dense(file: LiteRtFile, node: Node, fused: Node | None) -> None:
    kernel, name = node.weights["kernel"], (fused or node).name
    inputs = [
        *_tensors(file, node),
        file.constant(f"{name}/kernel", kernel.T),  # (out, in)
        _bias(file, node, name, kernel.shape[1]),
    ]
    table = schema.FullyConnectedOptionsT(fusedActivationFunction=_activation(fused))
    options = (_OPTIONS.FullyConnectedOptions, table)
    file.operator(_BUILTIN.FULLY_CONNECTED, inputs, _given(file, node, fused), options)


def _bias(file: LiteRtFile, node: Node, name: str, units: int) -> int:
    """Zeros where there is none: quantisers and old kernels want one."""
    return file.constant(f"{name}/bias", node.weights.get("bias", np.zeros(units, np.float32)))


def _elementwise(
    code: int, kind: int, table: Any
) -> Callable[[LiteRtFile, Node, Node | None], None]:
    def write(file: LiteRtFile, node: Node, fused: Node | None) -> None:
        inputs = _tensors(file, node)
        if "constant" in node.weights:
            inputs.append(file.constant(f"{node.name}/constant", node.weights["constant"]))
        options = (kind, table(fusedActivationFunction=_activation(fused)))
        file.operator(code, inputs, _given(file, node, fused), options)

    return write


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
    file.operator(_BUILTIN.MUL, [*_tensors(file, node), factor], scaled, options)
    table = schema.AddOptionsT(fusedActivationFunction=_activation(fused))
    shifted = _given(file, node, fused)
    file.operator(_BUILTIN.ADD, [scaled, offset], shifted, (_OPTIONS.AddOptions, table))


def _relu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    file.operator(_BUILTIN.RELU, _tensors(file, node), file.computed(node))


def _prelu(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    slope = node.weights["slope"]
    shape = (1,) * (len(node.shape) - 2) + slope.shape
    inputs = [*_tensors(file, node), file.constant(f"{node.name}/slope", slope.reshape(shape))]
    file.operator(_BUILTIN.PRELU, inputs, file.computed(node))


def _softmax(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    options = (_OPTIONS.SoftmaxOptions, schema.SoftmaxOptionsT(beta=1.0))
    file.operator(_BUILTIN.SOFTMAX, _tensors(file, node), file.computed(node), options)


def _pad(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    _write_pad(file, node, node.window.pads or NO_PADS, node.name, node.shape)


def _write_pad(file: LiteRtFile, node: Node, pads: Pads, name: str, shape: Shape) -> int:
    """Zeros around what `node` reads."""
    top, left, bottom, right = pads
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    inputs = [*_tensors(file, node), file.constant(f"{name}/pads", sides)]
    output = file.computed(node, name=name, shape=shape)
    file.operator(_BUILTIN.PAD, inputs, output, (_OPTIONS.PadOptions, schema.PadOptionsT()))
    return output


def _max_pool(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    window = node.window
    padding = _padding(node.inputs[0].shape, window)
    if padding is None:
        raise ModelBuildError(f"{node.name}: a pool padded by {window.pads} is not written yet.")
    table = schema.Pool2DOptionsT(
        padding=padding,
        strideH=window.stride[0],
        strideW=window.stride[1],
        filterHeight=window.size[0],
        filterWidth=window.size[1],
    )
    options = (_OPTIONS.Pool2DOptions, table)
    file.operator(_BUILTIN.MAX_POOL_2D, _tensors(file, node), file.computed(node), options)


def _mean(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    axes = file.constant(f"{node.name}/axes", np.array([1, 2], np.int32))
    options = (_OPTIONS.ReducerOptions, schema.ReducerOptionsT(keepDims=False))
    inputs = [*_tensors(file, node), axes]
    file.operator(_BUILTIN.MEAN, inputs, file.computed(node), options)


def _reshape(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    shape = np.array(node.shape, np.int32)  # an open side is -1 here too
    options = (_OPTIONS.ReshapeOptions, schema.ReshapeOptionsT(newShape=shape))
    inputs = [*_tensors(file, node), file.constant(f"{node.name}/shape", shape)]
    file.operator(_BUILTIN.RESHAPE, inputs, file.computed(node), options)


def _concatenate(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    table = schema.ConcatenationOptionsT(axis=len(node.shape) - 1)
    options = (_OPTIONS.ConcatenationOptions, table)
    file.operator(_BUILTIN.CONCATENATION, _tensors(file, node), file.computed(node), options)


def _tensors(file: LiteRtFile, node: Node) -> list[int]:
    return [file.tensors_of[one.name] for one in node.inputs]


def _given(file: LiteRtFile, node: Node, fused: Node | None) -> int:
    """The tensor that an operator with its activation gives, called after the activation."""
    return file.computed(node, name=None if fused is None else fused.name)


def _activation(fused: Node | None) -> int:
    kind = schema.ActivationFunctionType
    return int(kind.NONE if fused is None else kind.RELU)


def _padding(shape: Shape, window: Window) -> int | None:
    """LiteRT's kind of padding, or None where it takes an operator of its own."""
    if window.pads == NO_PADS:
        return int(schema.Padding.VALID)
    if window.pads is None or (OPEN not in shape[1:3] and same_pads(shape, window) == window.pads):
        return int(schema.Padding.SAME)
    return None


def _padded(file: LiteRtFile, node: Node) -> tuple[int, int]:
    """What a convolution reads, and its kind of padding; zeros are added where LiteRT has none."""
    shape, window = node.inputs[0].shape, node.window
    padding = _padding(shape, window)
    if padding is not None:
        return _tensors(file, node)[0], padding
    top, left, bottom, right = window.pads or NO_PADS
    wider = (
        side if side == OPEN else side + by
        for side, by in zip(shape[1:3], (top + bottom, left + right), strict=True)
    )
    name = f"{node.name}/pad"
    x = _write_pad(file, node, (top, left, bottom, right), name, (shape[0], *wider, shape[3]))
    return x, int(schema.Padding.VALID)


_WRITERS: dict[Operation, Callable[[LiteRtFile, Node, Node | None], None]] = {
    Operation.INPUT: _input,
    Operation.CONVOLUTION: _convolution,
    Operation.DENSE: _dense,
    Operation.BATCH_NORM: _batch_norm,
    Operation.ADD: _elementwise(_BUILTIN.ADD, _OPTIONS.AddOptions, schema.AddOptionsT),
    Operation.MULTIPLY: _elementwise(_BUILTIN.MUL, _OPTIONS.MulOptions, schema.MulOptionsT),
    Operation.RELU: _relu,
    Operation.PRELU: _prelu,
    Operation.SOFTMAX: _softmax,
    Operation.PAD: _pad,
    Operation.MAX_POOL: _max_pool,
    Operation.MEAN: _mean,
    Operation.RESHAPE: _reshape,
    Operation.CONCATENATE: _concatenate,
}
