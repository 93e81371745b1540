"""What every operator of a LiteRT file needs to become one or more nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.activations import activations
from facekit.system.extras import require

OPSET = 17
"""The latest of 2022: every runtime of the last years reads it, and nothing newer is needed."""
IR_VERSION = 8
"""of the same release, ONNX 1.12"""
BATCH = "batch"
INPUT = "image"
OUTPUT = "embedding"

TO_CHANNELS_FIRST = (0, 3, 1, 2)
TO_CHANNELS_LAST = (0, 2, 3, 1)
_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}


def onnx_package() -> Any:
    """The package onnx.  Raises MissingExtraError where it is not installed."""
    return require("onnx", extra="convert", needed_for="Making an .onnx file")


@dataclass(slots=True, eq=False)
class Writer:
    """Goes through the file's operators in their order and gathers what they become."""

    content: bytes
    writers: Mapping[str, Callable[[Writer, Any], None]]
    """by LiteRT's name of an operator, what writes it"""
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    activations: dict[str, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """of the tensor in ONNX, by the tensor's index in LiteRT"""
    onnx: Any = field(default_factory=onnx_package)
    """the package"""

    @property
    def graph(self) -> Any:
        return schema.Model.GetRootAs(self.content).Subgraphs(0)

    def write(self, producer: str) -> Any:
        """The whole file as an onnx.ModelProto.  Raises ModelBuildError."""
        graph = self.graph
        first, last = int(graph.InputsAsNumpy()[0]), int(graph.OutputsAsNumpy()[0])
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise ModelBuildError(
                "A net with one input and one output needed. Received: "
                f"{graph.InputsLength()} and {graph.OutputsLength()}."
            )
        if len(self.shape(first)) != 4:
            raise ModelBuildError(
                "A net that takes pictures, (1, height, width, 3), needed. Received: an input of "
                f"shape {self.shape(first)}."
            )
        keys = {one.index: one.key for one in activations(self.content)}
        self.names = {**keys, first: f"{INPUT}/channels_first", last: OUTPUT}
        self.activations = {key: self.names[index] for index, key in keys.items()}
        self.node("Transpose", [INPUT], self.names[first], perm=TO_CHANNELS_FIRST)
        for index in range(graph.OperatorsLength()):
            self.operator(graph.Operators(index))
        made = self.onnx.helper.make_graph(
            self.nodes,
            "embedding",
            [self.value(INPUT, first)],
            [self.value(OUTPUT, last)],
            self.constants,
        )
        model = self.onnx.helper.make_model(
            made, opset_imports=[self.onnx.helper.make_opsetid("", OPSET)], producer_name=producer
        )
        model.ir_version = IR_VERSION
        return model

    def operator(self, operator: Any) -> None:
        """Adds what one operator becomes.  Raises ModelBuildError for one that is not known."""
        code = schema.Model.GetRootAs(self.content).OperatorCodes(operator.OpcodeIndex())
        # Codes above 126 stand in the newer, wider field; older files have the narrow one alone.
        kind = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        write = self.writers.get(kind)
        if write is None:
            raise ModelBuildError(
                f"Operator {kind} cannot be exported to ONNX. Known: {', '.join(self.writers)}."
            )
        write(self, operator)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(
            self.onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)
        )

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
        return [self.name(operator.Inputs(which)) for which in range(operator.InputsLength())]

    def added(self, name: str, array: NDArray[Any]) -> str:
        """Adds a constant, which keeps the array's shape, and returns its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def tensor(self, index: int) -> Any:
        return self.graph.Tensors(index)

    def shape(self, index: int) -> tuple[int, ...]:
        """As LiteRT has it: channels last, the batch as 1."""
        tensor = self.tensor(index)
        return tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()

    def is_constant(self, index: int) -> bool:
        buffer = schema.Model.GetRootAs(self.content).Buffers(self.tensor(index).Buffer())
        return bool(buffer.DataLength())

    def constant(self, index: int, dtype: type = np.float32) -> NDArray[Any]:
        """In LiteRT's shape.  Raises ModelBuildError for none, or one of another type."""
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
        shape: list[str | int | None] = [BATCH, *self.shape(index)[1:]]
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)
