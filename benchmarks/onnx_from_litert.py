"""The embedding network's LiteRT file as ONNX, so that ONNX Runtime computes with equal weights.

    python benchmarks/onnx_from_litert.py facenet512-casia_float32.tflite net.onnx

Knows the six operators that Inception-ResNet-v1 is made of.  Inside, the order is ONNX's own,
channels first; the input keeps (1, 160, 160, 3).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_OPSET = 17
_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}


class Converter:
    def __init__(self, content: bytes) -> None:
        self.model = schema.Model.GetRootAs(content)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def convert(self) -> onnx.ModelProto:
        first, last = self.graph.Inputs(0), self.graph.Outputs(0)
        self.node("Transpose", ["image"], self.name(first), perm=[0, 3, 1, 2])
        for place in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(place)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            getattr(self, kind.lower())(operator)
        inputs = [self.value("image", first)]
        outputs = [self.value(self.name(last), last)]
        made = helper.make_graph(self.nodes, "embedding", inputs, outputs, self.constants)
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        return model

    def conv_2d(self, operator: Any) -> None:
        options = self.options(operator, schema.Conv2DOptions())
        output = self.name(operator.Outputs(0))
        weights = self.constant(operator.Inputs(1)).transpose(0, 3, 1, 2)
        self.activated(
            "Conv",
            [
                self.name(operator.Inputs(0)),
                self.added(f"{output}.w", weights),
                self.added(f"{output}.b", self.constant(operator.Inputs(2))),
            ],
            operator,
            options,
            strides=[options.StrideH(), options.StrideW()],
            auto_pad=self.padding(options),
        )

    def max_pool_2d(self, operator: Any) -> None:
        options = self.options(operator, schema.Pool2DOptions())
        self.activated(
            "MaxPool",
            [self.name(operator.Inputs(0))],
            operator,
            options,
            kernel_shape=[options.FilterHeight(), options.FilterWidth()],
            strides=[options.StrideH(), options.StrideW()],
            auto_pad=self.padding(options),
        )

    def add(self, operator: Any) -> None:
        options = self.options(operator, schema.AddOptions())
        names = [self.name(operator.Inputs(place)) for place in range(2)]
        self.activated("Add", names, operator, options)

    def concatenation(self, operator: Any) -> None:
        options = self.options(operator, schema.ConcatenationOptions())
        names = [self.name(operator.Inputs(place)) for place in range(operator.InputsLength())]
        self.activated("Concat", names, operator, options, axis=1)

    def mean(self, operator: Any) -> None:
        self.node(
            "ReduceMean",
            [self.name(operator.Inputs(0))],
            self.name(operator.Outputs(0)),
            axes=[2, 3],
            keepdims=0,
        )

    def fully_connected(self, operator: Any) -> None:
        options = self.options(operator, schema.FullyConnectedOptions())
        output = self.name(operator.Outputs(0))
        inputs = [
            self.name(operator.Inputs(0)),
            self.added(f"{output}.w", self.constant(operator.Inputs(1))),
        ]
        if operator.InputsLength() > 2 and operator.Inputs(2) >= 0:
            inputs.append(self.added(f"{output}.b", self.constant(operator.Inputs(2))))
        self.activated("Gemm", inputs, operator, options, transB=1)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def activated(
        self, kind: str, inputs: list[str], operator: Any, options: Any, **attributes: Any
    ) -> None:
        """A node, and a second one for the ReLU that LiteRT keeps inside the first."""
        output = self.name(operator.Outputs(0))
        activation = options.FusedActivationFunction()
        if activation == schema.ActivationFunctionType.NONE:
            self.node(kind, inputs, output, **attributes)
            return
        assert activation == schema.ActivationFunctionType.RELU, activation
        self.node(kind, inputs, f"{output}.linear", **attributes)
        self.node("Relu", [f"{output}.linear"], output)

    def name(self, index: int) -> str:
        return f"t{index}"

    def added(self, name: str, array: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, index: int) -> NDArray[Any]:
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        values = np.frombuffer(data.tobytes(), np.float32)
        return np.asarray(values.reshape(tensor.ShapeAsNumpy()))

    def padding(self, options: Any) -> str:
        # TensorFlow and ONNX both put the odd pixel of SAME at the end.
        return "SAME_UPPER" if options.Padding() == schema.Padding.SAME else "VALID"

    def options(self, operator: Any, found: Any) -> Any:
        raw = operator.BuiltinOptions()
        found.Init(raw.Bytes, raw.Pos)
        return found

    def value(self, name: str, index: int) -> onnx.ValueInfoProto:
        shape = [int(side) for side in self.graph.Tensors(index).ShapeAsNumpy()]
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("litert", type=Path)
    parser.add_argument("onnx", type=Path)
    args = parser.parse_args()
    onnx.save(Converter(args.litert.read_bytes()).convert(), args.onnx)


if __name__ == "__main__":
    main()
