"""An embedding net's LiteRT file as an ONNX graph: the same operators, the same weights.

The file is the source since it is what every other file of a model is made from and measured
against: no TensorFlow takes part, names of layers stay, and equal files give equal bytes.  Input
and output are as in LiteRT, (N, height, width, 3) and (N, embedding), with an open batch; inside,
the order is ONNX's own, channels first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.errors import ModelBuildError
from facekit.graph.write.onnx_nodes import TO_CHANNELS_FIRST, TO_CHANNELS_LAST, Writer


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A model that is not on the disk yet."""

    model: Any
    """onnx.ModelProto, float32, checked"""
    activations: dict[str, str]
    """the tensor that each of the LiteRT file's activations became, by its key; see
    facekit/graph/activations.py"""


def onnx_graph(content: bytes, *, producer: str = "facekit") -> OnnxGraph:
    """The float32 .tflite file `content` as ONNX; the same bytes for the same file.

    Raises ModelBuildError for an operator, or a form of one, that no embedding net of facekit's
    has, naming it, and MissingExtraError without onnx.
    """
    writer = Writer(content, _WRITERS)
    model = writer.write(producer)
    onnx = writer.onnx
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelBuildError(f"The ONNX graph made of the file is not valid: {error}") from error
    return OnnxGraph(model, writer.activations)


def _conv_2d(writer: Writer, operator: Any) -> None:
    options = writer.options(operator, schema.Conv2DOptions())
    output = writer.name(operator.Outputs(0))
    kernel = writer.constant(operator.Inputs(1))  # (out, height, width, in)
    writer.activated(
        "Conv",
        [
            writer.name(operator.Inputs(0)),
            writer.added(f"{output}/kernel", kernel.transpose(TO_CHANNELS_FIRST)),
            writer.added(f"{output}/bias", writer.constant(operator.Inputs(2))),
        ],
        operator,
        options,
        kernel_shape=kernel.shape[1:3],
        strides=[options.StrideH(), options.StrideW()],
        dilations=[options.DilationHFactor(), options.DilationWFactor()],
        auto_pad=_padding(options),
    )


def _depthwise_conv_2d(writer: Writer, operator: Any) -> None:
    options = writer.options(operator, schema.DepthwiseConv2DOptions())
    output = writer.name(operator.Outputs(0))
    kernel = writer.constant(operator.Inputs(1))  # (1, height, width, out)
    writer.activated(
        "Conv",
        [
            writer.name(operator.Inputs(0)),
            writer.added(f"{output}/kernel", kernel.transpose(3, 0, 1, 2)),
            writer.added(f"{output}/bias", writer.constant(operator.Inputs(2))),
        ],
        operator,
        options,
        group=writer.shape(operator.Inputs(0))[-1],
        kernel_shape=kernel.shape[1:3],
        strides=[options.StrideH(), options.StrideW()],
        dilations=[options.DilationHFactor(), options.DilationWFactor()],
        auto_pad=_padding(options),
    )


def _max_pool_2d(writer: Writer, operator: Any) -> None:
    options = writer.options(operator, schema.Pool2DOptions())
    writer.activated(
        "MaxPool",
        [writer.name(operator.Inputs(0))],
        operator,
        options,
        kernel_shape=[options.FilterHeight(), options.FilterWidth()],
        strides=[options.StrideH(), options.StrideW()],
        auto_pad=_padding(options),
    )


def _add(writer: Writer, operator: Any) -> None:
    writer.activated(
        "Add", writer.inputs(operator), operator, writer.options(operator, schema.AddOptions())
    )


def _elementwise(kind: str) -> Callable[[Writer, Any], None]:
    """Two operands, either of them constant, that may activate nothing of their own."""

    def write(writer: Writer, operator: Any) -> None:
        output = writer.name(operator.Outputs(0))
        if operator.BuiltinOptionsType() in _FUSING:
            found = _FUSING[operator.BuiltinOptionsType()]()
            activation = writer.options(operator, found).FusedActivationFunction()
            if activation != schema.ActivationFunctionType.NONE:
                raise ModelBuildError(f"{output}: a plain {kind} is needed for an ONNX export.")
        operands = [
            _operand(writer, operator.Inputs(index), f"{output}/operand_{index}")
            for index in range(2)
        ]
        writer.node(kind, operands, output)

    return write


_FUSING = {
    schema.BuiltinOptions.MulOptions: schema.MulOptions,
    schema.BuiltinOptions.SubOptions: schema.SubOptions,
}


def _operand(writer: Writer, index: int, name: str) -> str:
    if index in writer.names and not writer.is_constant(index):
        return writer.name(index)
    values = writer.constant(index)
    if values.ndim and values.size != values.shape[-1]:
        raise ModelBuildError(f"{name}: a constant with one value a channel is needed.")
    return writer.added(name, values.reshape(-1, 1, 1))  # (channels,) last in LiteRT


def _relu(writer: Writer, operator: Any) -> None:
    writer.node("Relu", writer.inputs(operator), writer.name(operator.Outputs(0)))


def _concatenation(writer: Writer, operator: Any) -> None:
    options = writer.options(operator, schema.ConcatenationOptions())
    if options.Axis() not in (3, -1) or len(writer.shape(operator.Outputs(0))) != 4:
        raise ModelBuildError("Only channels can be concatenated in an ONNX export.")
    writer.activated("Concat", writer.inputs(operator), operator, options, axis=1)


def _prelu(writer: Writer, operator: Any) -> None:
    output = writer.name(operator.Outputs(0))
    slope = writer.constant(operator.Inputs(1)).reshape(-1, 1, 1)  # (channels,) last in LiteRT
    inputs = [writer.name(operator.Inputs(0)), writer.added(f"{output}/slope", slope)]
    writer.node("PRelu", inputs, output)


def _pad(writer: Writer, operator: Any) -> None:
    output = writer.name(operator.Outputs(0))
    pads = writer.constant(operator.Inputs(1), np.int32)[list(TO_CHANNELS_FIRST)]  # (4, 2)
    added = writer.added(f"{output}/pads", pads.T.ravel().astype(np.int64))
    writer.node("Pad", [writer.name(operator.Inputs(0)), added], output)


def _mean(writer: Writer, operator: Any) -> None:
    """Over height and width: the global average pooling, which ONNX quantises as one operator."""
    source, output = operator.Inputs(0), writer.name(operator.Outputs(0))
    axes = {int(axis) for axis in writer.constant(operator.Inputs(1), np.int32).ravel()}
    if len(writer.shape(source)) != 4 or axes != {1, 2}:
        raise ModelBuildError(f"{output}: only means over height and width can be exported.")
    if len(writer.shape(operator.Outputs(0))) == 4:
        writer.node("GlobalAveragePool", [writer.name(source)], output)
        return
    writer.node("GlobalAveragePool", [writer.name(source)], f"{output}/pooled")
    writer.node("Flatten", [f"{output}/pooled"], output, axis=1)


def _reshape(writer: Writer, operator: Any) -> None:
    """To one vector a picture, whose values come in LiteRT's order: channels last."""
    source, output = operator.Inputs(0), writer.name(operator.Outputs(0))
    if len(writer.shape(operator.Outputs(0))) != 2:
        raise ModelBuildError(f"{output}: only flattening can be exported.")
    name = writer.name(source)
    if len(writer.shape(source)) == 4 and writer.shape(source)[1:3] != (1, 1):
        writer.node("Transpose", [name], f"{output}/channels_last", perm=TO_CHANNELS_LAST)
        name = f"{output}/channels_last"
    writer.node("Flatten", [name], output, axis=1)


def _fully_connected(writer: Writer, operator: Any) -> None:
    options = writer.options(operator, schema.FullyConnectedOptions())
    output = writer.name(operator.Outputs(0))
    if len(writer.shape(operator.Inputs(0))) != 2:
        raise ModelBuildError(f"{output}: a fully connected layer of flat vectors needed.")
    kernel = writer.constant(operator.Inputs(1))  # (out, in)
    inputs = [writer.name(operator.Inputs(0)), writer.added(f"{output}/kernel", kernel)]
    if operator.InputsLength() > 2 and operator.Inputs(2) >= 0:
        inputs.append(writer.added(f"{output}/bias", writer.constant(operator.Inputs(2))))
    writer.activated("Gemm", inputs, operator, options, transB=1)


def _padding(options: Any) -> str:
    # TensorFlow and ONNX both put the odd pixel of SAME at the end.
    return "SAME_UPPER" if options.Padding() == schema.Padding.SAME else "VALID"


_WRITERS: dict[str, Callable[[Writer, Any], None]] = {
    "ADD": _add,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "MAXIMUM": _elementwise("Max"),
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": _mean,
    "MUL": _elementwise("Mul"),
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": _relu,
    "RESHAPE": _reshape,
    "SUB": _elementwise("Sub"),
}
"""What writes each operator that facekit's embedding nets have, by LiteRT's name of it"""
