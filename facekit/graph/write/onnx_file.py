"""The nodes and constants of an ONNX file, and in which order each picture has its sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.graph.activations import LINEAR
from facekit.graph.graph import Graph, Node
from facekit.system.extras import require

OPSET = 17
"""The latest of 2022: every runtime of the last years reads it, and nothing newer is needed."""
IR_VERSION = 8
"""of the same release, ONNX 1.12"""
BATCH = "batch"
INPUT = "image"
OUTPUT = "embedding"

ABOVE = "/above_zero"
"""the end of the name of that part of a PReLU"""
CHANNELS_FIRST = "/channels_first"
_CHANNELS_LAST = "/channels_last"
POOLED = "/pooled"
PARTS = (LINEAR, CHANNELS_FIRST, _CHANNELS_LAST, POOLED)
"""ends of names that are no layer's own: what they name holds the numbers of the layer"""

TO_FIRST = (0, 3, 1, 2)
TO_LAST = (0, 2, 3, 1)
"""side n of a picture with channels last is side TO_LAST[n] of one with channels first"""


def onnx_package() -> Any:
    """The package onnx.  Raises MissingExtraError where it is not installed."""
    return require("onnx", extra="convert", needed_for="Making an .onnx file")


class OnnxFile:
    """Filled node by node.  Pictures keep the order that the operator before left them in:
    convolutions and pools want channels first, and most others take either."""

    def __init__(self, graph: Graph) -> None:
        self.onnx = onnx_package()
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.tensors: dict[tuple[str, bool], str] = {}
        """by the name of the graph's node, and whether it is a picture with channels first"""
        self.made: dict[str, str] = {}
        """what an operator gave, not a Transpose of it, by the name of the graph's node"""
        self.inputs, self.outputs = (
            {node.name: end if len(nodes) == 1 else node.name for node in nodes}
            for end, nodes in ((INPUT, graph.inputs), (OUTPUT, graph.outputs))
        )
        """what the graph's ends are called in the file"""

    def tensor(self, node: Node, *, first: bool = False) -> str:
        """What the graph's node became, with its sides in that order, by a Transpose if needed."""
        key = (node.name, first)
        if key not in self.tensors:
            given = self.tensors[node.name, not first]
            name = self._name(node, first=first, other=True)
            self.step("Transpose", [given], name, perm=TO_FIRST if first else TO_LAST)
            self.tensors[key] = name
        return self.tensors[key]

    def is_first(self, nodes: Iterable[Node]) -> bool:
        """The order in which an operator of these takes them: first where one of them is."""
        return all(len(node.shape) == 4 for node in nodes) and any(
            (node.name, True) in self.tensors for node in nodes
        )

    def given(self, node: Node, *, first: bool = False) -> str:
        """The name for what is about to be made of the graph's node."""
        self.made[node.name] = self.tensors[node.name, first] = self._name(node, first=first)
        return self.made[node.name]

    def node(
        self, kind: str, inputs: Sequence[str], node: Node, *, first: bool = False, **settings: Any
    ) -> None:
        """The operator that gives what the graph's node gives."""
        self.step(kind, inputs, self.given(node, first=first), **settings)

    def step(self, kind: str, inputs: Sequence[str], output: str, **settings: Any) -> str:
        """An operator on the way; returns `output`."""
        made = self.onnx.helper.make_node(kind, inputs, [output], name=output, **settings)
        self.nodes.append(made)
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Returns `name`."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def packed(self, graph: Graph, producer: str) -> Any:
        """The onnx.ModelProto."""
        helper = self.onnx.helper
        made = helper.make_graph(
            self.nodes,
            "embedding",
            [self._value(self.inputs[node.name], node) for node in graph.inputs],
            [self._value(self.tensor(node), node) for node in graph.outputs],
            self.constants,
        )
        model = helper.make_model(
            made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name=producer
        )
        model.ir_version = IR_VERSION
        return model

    def _name(self, node: Node, *, first: bool, other: bool = False) -> str:
        """`other`: not the order in which an operator gives it."""
        if node.name in self.outputs:
            return self.outputs[node.name] + (CHANNELS_FIRST if first else "")
        name = self.inputs.get(node.name, node.name)
        return name + ((CHANNELS_FIRST if first else _CHANNELS_LAST) if other else "")

    def _value(self, name: str, node: Node) -> Any:
        shape = [BATCH, *(side if side > 0 else None for side in node.shape[1:])]
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)


Writer: TypeAlias = Callable[[OnnxFile, Node], None]
"""makes the operators of one node"""
