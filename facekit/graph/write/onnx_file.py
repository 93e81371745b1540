"""Collects the nodes and constants of an ONNX file, and tracks the layout of each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.graph.graph import Graph, Node
from facekit.graph.names import LINEAR
from facekit.system.extras import require

OPSET = 17
"""The latest operator set of 2022.  All recent runtimes support this set."""
IR_VERSION = 8
"""The file version of the same release, ONNX 1.12."""
BATCH = "batch"
INPUT = "image"
OUTPUT = "embedding"

POSITIVE_PART = "/above_zero"
"""Suffix of the name of the positive part of a PReLU."""
CHANNELS_FIRST = "/channels_first"
_CHANNELS_LAST = "/channels_last"
POOLED = "/pooled"
DERIVED_SUFFIXES = (LINEAR, CHANNELS_FIRST, _CHANNELS_LAST, POOLED)
"""Suffixes of tensors that hold the same elements as the layer's output."""

TO_FIRST = (0, 3, 1, 2)
TO_LAST = (0, 2, 3, 1)
"""Axis n of an image with channels last is axis TO_LAST[n] of the image with channels first."""


def onnx_package() -> Any:
    """Returns the package onnx.  Raises MissingExtraError if it is not installed."""
    return require("onnx", extra="convert", needed_for="Making an .onnx file")


class OnnxFile:
    """The content of an ONNX file, added node by node.

    An image keeps the layout of the operator that computes it.  Convolutions and pools require
    channels first; most other operators accept either layout.
    """

    def __init__(self, graph: Graph) -> None:
        self.onnx = onnx_package()
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.tensors: dict[tuple[str, bool], str] = {}
        """The tensor name by the node's name and whether the tensor is an image with channels
        first."""
        self.operator_outputs: dict[str, str] = {}
        """The tensor name of an operator's output, not of its Transpose, by the node's name."""
        self.inputs, self.outputs = (
            {node.name: end if len(nodes) == 1 else node.name for node in nodes}
            for end, nodes in ((INPUT, graph.inputs), (OUTPUT, graph.outputs))
        )
        """The names of the graph's inputs and outputs in the file."""

    def tensor_in_layout(self, node: Node, *, channels_first: bool = False) -> str:
        """Returns the tensor name of a node in the requested layout.

        A Transpose is added if needed.
        """
        key = (node.name, channels_first)
        if key not in self.tensors:
            source = self.tensors[node.name, not channels_first]
            name = self._name(node, channels_first=channels_first, transposed=True)
            self.add_operator(
                "Transpose", [source], name, perm=TO_FIRST if channels_first else TO_LAST
            )
            self.tensors[key] = name
        return self.tensors[key]

    def is_channels_first(self, nodes: Iterable[Node]) -> bool:
        """Returns whether an operator on these nodes works with channels first.

        It does if all nodes are images and at least one image has its channels first.
        """
        return all(len(node.shape) == 4 for node in nodes) and any(
            (node.name, True) in self.tensors for node in nodes
        )

    def name_output(self, node: Node, *, channels_first: bool = False) -> str:
        """Records and returns the tensor name of a node's output."""
        self.operator_outputs[node.name] = self.tensors[node.name, channels_first] = self._name(
            node, channels_first=channels_first
        )
        return self.operator_outputs[node.name]

    def add_node(
        self,
        kind: str,
        inputs: Sequence[str],
        node: Node,
        *,
        channels_first: bool = False,
        **attributes: Any,
    ) -> None:
        """Adds the operator that computes the output of `node`."""
        self.add_operator(
            kind, inputs, self.name_output(node, channels_first=channels_first), **attributes
        )

    def add_operator(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Adds an operator and returns `output`, its name."""
        created = self.onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)
        self.nodes.append(created)
        return output

    def add_constant(self, name: str, array: NDArray[Any]) -> str:
        """Adds a constant and returns its tensor name, `name`."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def to_model(self, graph: Graph, producer: str) -> Any:
        """Returns the onnx.ModelProto."""
        helper = self.onnx.helper
        created = helper.make_graph(
            self.nodes,
            "embedding",
            [self._value_info(self.inputs[node.name], node) for node in graph.inputs],
            [self._value_info(self.tensor_in_layout(node), node) for node in graph.outputs],
            self.constants,
        )
        model = helper.make_model(
            created, opset_imports=[helper.make_opsetid("", OPSET)], producer_name=producer
        )
        model.ir_version = IR_VERSION
        return model

    def _name(self, node: Node, *, channels_first: bool, transposed: bool = False) -> str:
        """Returns a node's tensor name.  `transposed` means the layout that a Transpose creates."""
        if node.name in self.outputs:
            return self.outputs[node.name] + (CHANNELS_FIRST if channels_first else "")
        name = self.inputs.get(node.name, node.name)
        return name + ((CHANNELS_FIRST if channels_first else _CHANNELS_LAST) if transposed else "")

    def _value_info(self, name: str, node: Node) -> Any:
        shape = [BATCH, *(dimension if dimension > 0 else None for dimension in node.shape[1:])]
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)


Writer: TypeAlias = Callable[[OnnxFile, Node], None]
"""Adds the operators of one node."""
