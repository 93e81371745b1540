"""An embedding net's LiteRT file as an ONNX graph: the same operators, the same weights.

The file is the source since it is what every other file of a model is made from and measured
against: no TensorFlow takes part, names of layers stay, and equal files give equal bytes.  Input
and output are as in LiteRT, (N, height, width, 3) and (N, embedding), with an open batch; inside,
the order is ONNX's own, channels first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.host.onnx_package import onnx
from facekit.host.quantize.graph import activations

OPSET = 17
"""The latest of 2022: every runtime of the last years reads it, and nothing newer is needed."""
IR_VERSION = 8
"""of the same release, ONNX 1.12"""
BATCH = "batch"
INPUT = "image"
OUTPUT = "embedding"

_TO_CHANNELS_FIRST = (0, 3, 1, 2)
_TO_CHANNELS_LAST = (0, 2, 3, 1)
_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A model that is not on the disk yet."""

    model: Any
    """onnx.ModelProto, float32, checked"""
    activations: dict[str, str]
    """the tensor that each of the LiteRT file's activations became, by its key; see
    quantize/graph.py"""


def onnx_graph(content: bytes, *, producer: str = "facekit") -> OnnxGraph:
    """The float32 .tflite file `content` as ONNX; the same bytes for the same file.

    Raises ModelBuildError for an operator, or a form of one, that no embedding net of facekit's
    has: it names it.
    """
    writer = _Writer(content)
    model = writer.write(producer)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelBuildError(f"The ONNX graph made of the file is not valid: {error}") from error
    return OnnxGraph(model, writer.activations)


@dataclass(slots=True, eq=False)
class _Writer:
    content: bytes
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    activations: dict[str, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """of the tensor in ONNX, by the tensor's index in LiteRT"""

    @property
    def graph(self) -> Any:
        return schema.Model.GetRootAs(self.content).Subgraphs(0)

    def write(self, producer: str) -> Any:
        graph = self.graph
        first, last = int(graph.InputsAsNumpy()[0]), int(graph.OutputsAsNumpy()[0])
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise ModelBuildError(
                "A net with one input and one output needed. Received: "
                f"{graph.InputsLength()} and {graph.OutputsLength()}."
            )
        keys = {one.index: one.key for one in activations(self.content)}
        self.names = {**keys, first: f"{INPUT}/channels_first", last: OUTPUT}
        self.activations = {key: self.names[index] for index, key in keys.items()}
        self.node("Transpose", [INPUT], self.names[first], perm=_TO_CHANNELS_FIRST)
        for place in range(graph.OperatorsLength()):
            self.operator(graph.Operators(place))
        made = onnx.helper.make_graph(
            self.nodes,
            "embedding",
            [self.value(INPUT, first)],
            [self.value(OUTPUT, last)],
            self.constants,
        )
        model = onnx.helper.make_model(
            made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], producer_name=producer
        )
        model.ir_version = IR_VERSION
        return model

    def operator(self, operator: Any) -> None:
        code = schema.Model.GetRootAs(self.content).OperatorCodes(operator.OpcodeIndex())
        # Codes above 126 stand in the newer, wider field; older files have the narrow one alone.
        kind = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        write = _WRITERS.get(kind)
        if write is None:
            raise ModelBuildError(
                f"Operator {kind} cannot be exported to ONNX. Known: {', '.join(_WRITERS)}."
            )
        write(self, operator)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))

    def activated(
        self, kind: str, inputs: list[str], operator: Any, options: Any, **attributes: Any
    ) -> None:
        """A node, and a second one for the ReLU that LiteRT keeps inside the first."""
        output = self.name(operator.Outputs(0))
        activation = options.FusedActivationFunction()
        if activation == schema.ActivationFunctionType.NONE:
            self.node(kind, inputs, output, **attributes)
        elif activation == schema.ActivationFunctionType.RELU:
            self.node(kind, inputs, f"{output}/linear", **attributes)
            self.node("Relu", [f"{output}/linear"], output)
        else:
            raise ModelBuildError(
                f"{output}: activation function {activation} of LiteRT's schema cannot be "
                "exported to ONNX; none and ReLU can."
            )

    def name(self, index: int) -> str:
        return self.names[index]

    def inputs(self, operator: Any) -> list[str]:
        return [self.name(operator.Inputs(place)) for place in range(operator.InputsLength())]

    def added(self, name: str, array: NDArray[Any]) -> str:
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def tensor(self, index: int) -> Any:
        return self.graph.Tensors(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """As LiteRT has it: channels last, the batch as 1."""
        tensor = self.tensor(index)
        return tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()

    def constant(self, index: int, dtype: type = np.float32) -> NDArray[Any]:
        """Raises ModelBuildError for a tensor that is none, or of another type."""
        tensor = self.tensor(index)
        buffer = schema.Model.GetRootAs(self.content).Buffers(tensor.Buffer())
        wanted = schema.TensorType.FLOAT32 if dtype is np.float32 else schema.TensorType.INT32
        if not buffer.DataLength() or tensor.Type() != wanted:
            raise ModelBuildError(
                f"Constants of type {np.dtype(dtype).name} needed: export starts from the "
                f"float32 file. Received: {tensor.Name().decode()} without."
            )
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).reshape(self.shape(index))

    def options(self, operator: Any, found: Any) -> Any:
        raw = operator.BuiltinOptions()
        found.Init(raw.Bytes, raw.Pos)
        return found

    def value(self, name: str, index: int) -> Any:
        sides: list[str | int | None] = [BATCH, *self.shape(index)[1:]]
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides)


def _conv_2d(writer: _Writer, operator: Any) -> None:
    options = writer.options(operator, schema.Conv2DOptions())
    output = writer.name(operator.Outputs(0))
    kernel = writer.constant(operator.Inputs(1))  # (out, height, width, in)
    writer.activated(
        "Conv",
        [
            writer.name(operator.Inputs(0)),
            writer.added(f"{output}/kernel", kernel.transpose(_TO_CHANNELS_FIRST)),
            writer.added(f"{output}/bias", writer.constant(operator.Inputs(2))),
        ],
        operator,
        options,
        kernel_shape=kernel.shape[1:3],
        strides=[options.StrideH(), options.StrideW()],
        dilations=[options.DilationHFactor(), options.DilationWFactor()],
        auto_pad=_padding(options),
    )


def _depthwise_conv_2d(writer: _Writer, operator: Any) -> None:
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


def _max_pool_2d(writer: _Writer, operator: Any) -> None:
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


def _add(writer: _Writer, operator: Any) -> None:
    writer.activated(
        "Add", writer.inputs(operator), operator, writer.options(operator, schema.AddOptions())
    )


def _concatenation(writer: _Writer, operator: Any) -> None:
    options = writer.options(operator, schema.ConcatenationOptions())
    if options.Axis() not in (3, -1) or len(writer.shape(operator.Outputs(0))) != 4:
        raise ModelBuildError("Only channels can be concatenated in an ONNX export.")
    writer.activated("Concat", writer.inputs(operator), operator, options, axis=1)


def _prelu(writer: _Writer, operator: Any) -> None:
    output = writer.name(operator.Outputs(0))
    slope = writer.constant(operator.Inputs(1)).reshape(-1, 1, 1)  # (channels,) last in LiteRT
    inputs = [writer.name(operator.Inputs(0)), writer.added(f"{output}/slope", slope)]
    writer.node("PRelu", inputs, output)


def _pad(writer: _Writer, operator: Any) -> None:
    output = writer.name(operator.Outputs(0))
    pads = writer.constant(operator.Inputs(1), np.int32)[list(_TO_CHANNELS_FIRST)]  # (4, 2)
    added = writer.added(f"{output}/pads", pads.T.ravel().astype(np.int64))
    writer.node("Pad", [writer.name(operator.Inputs(0)), added], output)


def _mean(writer: _Writer, operator: Any) -> None:
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


def _reshape(writer: _Writer, operator: Any) -> None:
    """To one vector a picture, whose values come in LiteRT's order: channels last."""
    source, output = operator.Inputs(0), writer.name(operator.Outputs(0))
    if len(writer.shape(operator.Outputs(0))) != 2:
        raise ModelBuildError(f"{output}: only flattening can be exported.")
    name = writer.name(source)
    if len(writer.shape(source)) == 4 and writer.shape(source)[1:3] != (1, 1):
        writer.node("Transpose", [name], f"{output}/channels_last", perm=_TO_CHANNELS_LAST)
        name = f"{output}/channels_last"
    writer.node("Flatten", [name], output, axis=1)


def _fully_connected(writer: _Writer, operator: Any) -> None:
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


_WRITERS: dict[str, Callable[[_Writer, Any], None]] = {
    "ADD": _add,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": _mean,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
}
