"""Reads an ONNX face network into a graph, without the packages onnx and onnxruntime.

Nothing in the file is executed.  Only nodes that an output depends on are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import DYNAMIC, Graph, Node, Shape
from facekit.graph.prelu import merge_prelus
from facekit.graph.read.onnx_arguments import Attributes, OperatorArguments
from facekit.graph.read.onnx_constants import CONSTANT_FOLDERS
from facekit.graph.read.onnx_elementwise import ELEMENTWISE_READERS
from facekit.graph.read.onnx_file import (
    FLOAT32,
    ONNX,
    parse_onnx,
    read_onnx_model,
    require_onnx_operator,
    tensor_values,
)
from facekit.graph.read.onnx_layers import LAYER_READERS
from facekit.graph.read.onnx_moves import DATA_MOVEMENT_READERS
from facekit.graph.read.onnx_resize import RESIZE_READERS
from facekit.graph.read.onnx_shapes import channels_last_axes, identity_axes
from facekit.graph.read.onnx_values import Constant, LayoutConverter, Value
from facekit.graph.weights import NODE, reading_graph
from facekit.system.inputs import reading

OPERATORS: dict[str, Callable[[OperatorArguments], Value | tuple[Value, ...] | Constant]] = {
    **LAYER_READERS,
    **ELEMENTWISE_READERS,
    **DATA_MOVEMENT_READERS,
    **RESIZE_READERS,
}
"""The readers of operators with at least one input that is not constant."""
_QUANTIZED_OPERATOR = re.compile("Quantize|Dequantize|^QLinear|Integer$")
_MAX_ELEMENTS = 1 << 27
"""Limit on the elements of all activations for one image.  Face networks have tens of millions."""
_MAX_CONSTANT_ELEMENTS = 1 << 27
"""Limit on the elements of all constants that are computed from others."""
_MAX_CHANNELS = 4  # of the input image
_MAX_LISTED = 8  # tensors in an error message
_COPY_NUMBER = re.compile(r"_(\d+)(?=[/:])")


def read_onnx_graph(
    path: Path, *, name: str, size: tuple[int, int] | None = None, any_size: bool = False
) -> Graph:
    """Returns the network, whose input is one image, (1, height, width, channels).

    The outputs have the names and the order of the file.  An output that is an image has its
    channels last.  `size`, (height, width), is used if the input size is dynamic in the file.  If
    `any_size` is true, height and width of the graph are dynamic, whatever the file states.

    Raises ModelBuildError, naming the file and the node, if the file cannot be read, an operator or
    its attributes are not supported, or a tensor is missing, has an inconsistent shape or is not
    finite.
    """
    model = parse_onnx(path)
    with reading_graph(ONNX, path):
        source, opset = read_onnx_model(model, path.parent)
        return _Reader(source, opset).graph(name, (DYNAMIC, DYNAMIC) if any_size else size)


class _Reader:
    """The state while one file is read, node by node in the file's order, which is an execution
    order."""

    def __init__(self, source: Any, opset: int) -> None:
        self.source = source
        self.opset = opset
        self.layout = LayoutConverter()
        self.tensors: dict[str, Any] = {}
        self.constants: dict[str, Constant] = {}
        self.values: dict[str, Value] = {}
        self.activation_elements = self.constant_elements = 0
        """The number of elements so far in activations and in computed constants."""

    def graph(self, name: str, size: tuple[int, int] | None) -> Graph:
        for tensor in self.source.initializer:
            if tensor.name in self.tensors:
                raise ModelBuildError(f"two tensors are called {tensor.name}.")
            self.tensors[tensor.name] = tensor
        needed = _needed_tensors(self.source)
        self._add_input(needed, size)
        for node in self.source.node:
            if needed.intersection(node.output):
                self._add(node)
        outputs = {output.name: self._output(output.name) for output in self.source.output}
        return merge_prelus(_name_outputs(name, outputs))

    def _add_input(self, needed: set[str], size: tuple[int, int] | None) -> None:
        # The file's list of inputs may also contain constants, and names that quantizers left
        # behind.
        needed_inputs = needed - self.tensors.keys()
        inputs = [value for value in self.source.input if value.name in needed_inputs]
        if len(inputs) != 1:
            raise ModelBuildError(f"one input needed. Found: {_join_names(inputs)}.")
        (image,) = inputs
        name, kind = image.name, image.type.tensor_type
        shape = tuple(max(dimension.dim_value, 0) for dimension in kind.shape.dim)
        axes = _image_axes(shape)
        if kind.elem_type != FLOAT32 or axes is None or shape[0] > 1:
            raise ModelBuildError(
                f"{name} must be one float32 image, (1, channels, height, width) or (1, height, "
                f"width, channels). Received: shape {shape}, data type {kind.elem_type}."
            )
        sizes = dict(zip(axes, shape, strict=True))
        height, width = sizes[1], sizes[2]
        if size is not None:
            height, width = (
                dimension if dimension and DYNAMIC not in size else requested
                for dimension, requested in zip((height, width), size, strict=True)
            )
        if 0 in (height, width):
            raise ModelBuildError(
                f"{name} has a dynamic height or width, shape {shape}. Give the size of the image."
            )
        node = operations.graph_input(name, (1, height, width, sizes[3]))
        self._store(name, Value(node, axes))

    def _add(self, node: Any) -> None:
        if not node.output or not node.output[0]:
            raise ModelBuildError(f"{node.name or node.op_type} has no output.")
        name = node.output[0]
        with reading(NODE, f"{name}, a {node.op_type},"):
            results = self._read_node(node, name)
        for output, value in zip(node.output, results, strict=False):
            if not output:
                continue
            if output in self.values or output in self.tensors:
                raise ModelBuildError(f"two tensors are called {output}.")
            if isinstance(value, Value):
                self._store(output, value)
                continue
            # a view needs no memory
            self.constant_elements += value.size if value.base is None else 0
            if self.constant_elements > _MAX_CONSTANT_ELEMENTS:
                raise ModelBuildError(
                    f"{output}: constants of more than {_MAX_CONSTANT_ELEMENTS} numbers."
                )
            self.constants[output] = value

    def _read_node(self, node: Any, name: str) -> tuple[Value | Constant, ...]:
        require_onnx_operator(node, name)
        kind, inputs = node.op_type, [self._tensor(tensor, name) for tensor in node.input]
        attributes = Attributes(node, name)
        op = OperatorArguments(
            _node_name(name),
            inputs,
            attributes,
            self.layout,
            opset=self.opset,
            outputs=[_node_name(tensor) for tensor in node.output],
        )
        result: Value | Constant | tuple[Value, ...]
        has_value = any(isinstance(tensor, Value) for tensor in inputs)
        if has_value and _QUANTIZED_OPERATOR.search(kind):
            raise ModelBuildError(
                f"{name} is a {kind} of a computed tensor: the network is quantized. Import the "
                "float32 file from which it was converted."
            )
        readers = OPERATORS if has_value else CONSTANT_FOLDERS
        if kind not in readers:
            suffix = "" if has_value else " of constants"
            raise ModelBuildError(
                f"{name} is a {kind}{suffix}. Known are {', '.join(sorted(readers))}."
            )
        result = readers[kind](op)
        attributes.require_all_read()
        return result if isinstance(result, tuple) else (result,)

    def _tensor(self, name: str, reader: str) -> Value | Constant | None:
        """Returns the tensor `name` that the node `reader` uses, or None for an omitted optional
        input."""
        if not name:
            return None
        if name in self.values:
            return self.values[name]
        if name not in self.constants:
            if name not in self.tensors:
                raise ModelBuildError(f"{reader} reads {name}, which no node before it computes.")
            self.constants[name] = tensor_values(self.tensors[name], name)
        return self.constants[name]

    def _store(self, name: str, value: Value) -> None:
        self.activation_elements += abs(prod(value.node.shape))
        if self.activation_elements > _MAX_ELEMENTS or 0 in value.node.shape:
            raise ModelBuildError(
                f"{name} is of shape {value.node.shape}; 1 to {_MAX_ELEMENTS} elements are allowed "
                "in all activations for one image."
            )
        self.values[name] = value

    def _output(self, name: str) -> Node:
        """Returns the node of an output, in the file's layout except that an image has its channels
        last.

        An output of one pixel becomes a vector.
        """
        if name not in self.values:
            raise ModelBuildError(f"the output {name} must be computed.")
        value = self.values[name]
        shape = value.shape
        if len(shape) == 4 and shape[2:] == (1, 1):
            value = self.layout.reshape(value, shape[:2])
        rank = len(value.axes)
        if rank == 4 and value.axes == channels_last_axes(rank):
            return value.node
        return self.layout.to_axes(value, identity_axes(rank))


def _needed_tensors(source: Any) -> set[str]:
    """Returns the names of all tensors that an output depends on."""
    if not source.output:
        raise ModelBuildError("it has no output.")
    producers: dict[str, int] = {}
    for index, node in enumerate(source.node):
        for name in filter(None, node.output):
            if name in producers:
                raise ModelBuildError(f"two tensors are called {name}.")
            producers[name] = index
    needed: set[str] = set()
    pending = [output.name for output in source.output]
    visited: set[int] = set()
    while pending:
        name = pending.pop()
        needed.add(name)
        if name in producers and producers[name] not in visited:
            visited.add(producers[name])
            pending += filter(None, source.node[producers[name]].input)
    return needed


def _image_axes(shape: Shape) -> tuple[int, ...] | None:
    """Returns the axes of an input image in the node, or None if neither the second nor the last
    dimension is small enough for channels."""
    if len(shape) != 4:
        return None
    for axes, channels in ((channels_last_axes(4), shape[1]), (identity_axes(4), shape[3])):
        if 0 < channels <= _MAX_CHANNELS:
            return axes
    return None


def _name_outputs(name: str, outputs: dict[str, Node]) -> Graph:
    """Returns a graph whose outputs have the names that they have in the file.  Another node with
    one of these names is renamed."""
    graph = Graph(name, tuple(outputs.values()))
    names = {node.name: output_name for output_name, node in outputs.items()}
    if len(names) < len(outputs):
        raise ModelBuildError(f"its outputs {', '.join(outputs)} are in part the same.")
    reserved = set(names.values()) - names.keys()

    def rename(node: Node) -> Node:
        if node.name in names:
            return replace(node, name=names[node.name])
        return replace(node, name=f"{node.name}/before") if node.name in reserved else node

    return graph.rewrite(rename)


def _node_name(name: str) -> str:
    """Replaces the characters that `facekit.graph.activations` would cut off a tensor's name."""
    return _COPY_NUMBER.sub(r".\1", name).replace(";", ",")


def _join_names(values: Any) -> str:
    return ", ".join(value.name for value in values[:_MAX_LISTED]) or "none"
