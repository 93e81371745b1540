"""Reads a float32 LiteRT file into a graph, e.g. from facekit, TensorFlow, onnx2tf or PyTorch.

Nodes have the names of the file's tensors, without the leading name of the network.  Nothing in the
file is executed.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.activations import strip_network_name
from facekit.graph.graph import DYNAMIC, Graph, Node, Operation, Shape
from facekit.graph.names import LINEAR
from facekit.graph.prelu import merge_prelus
from facekit.graph.read.litert_arguments import OperatorArguments, Value
from facekit.graph.read.litert_file import (
    IDENTIFIER,
    LITERT,
    OMITTED_INPUT,
    FileOperator,
    LiteRtTables,
    read_tables,
)
from facekit.graph.read.litert_moves import CONSTANT_FOLDERS, DATA_MOVEMENT_READERS
from facekit.graph.read.litert_operators import COMPUTE_READERS
from facekit.graph.weights import NODE, WEIGHTS, reading_graph
from facekit.system.inputs import open_input, read_input, reading

_MAX_ELEMENTS = 1 << 27
"""Limit on the elements of all activations for one image.  Face networks have tens of millions."""
_MAX_CHANNELS = 4  # of the input image
_ACTIVATIONS = {1: Operation.RELU, 3: Operation.RELU6}
"""The key is the schema's ActivationFunctionType."""


def is_litert(path: Path) -> bool:
    """Returns whether the file is a LiteRT file.  Raises ModelBuildError if it cannot be read."""
    with open_input(path, WEIGHTS) as file:
        return file.read(8)[4:] == IDENTIFIER


def read_litert_graph(path: Path, *, name: str, size: tuple[int, int] | None = None) -> Graph:
    """Returns the network, whose input is (1, height, width, channels) or has a dynamic batch.

    An input with channels first in the file has channels last here.  If `size`, (height, width), is
    not None, the size replaces dynamic dimensions of the input, and a dynamic batch becomes 1.

    Raises ModelBuildError, naming the file and the tensor, if the file cannot be read, an operator
    or its settings are not supported, values are not float32, or a tensor is missing, has an
    inconsistent shape or is written twice.
    """
    content = read_input(path, LITERT)
    with reading_graph(LITERT, path):
        return _Reader(read_tables(content)).graph(name, size)


class _Reader:
    """The state while one file is read, operator by operator in execution order."""

    def __init__(self, tables: LiteRtTables) -> None:
        self.tables = tables
        self.values: dict[int, Value] = {}
        self.names: set[str] = set()
        self.elements = 0

    def graph(self, name: str, size: tuple[int, int] | None) -> Graph:
        if self.tables.subgraphs != 1:
            raise ModelBuildError(f"one subgraph needed. Received: {self.tables.subgraphs}.")
        if quantized := [tensor.name for tensor in self.tables.tensors if tensor.scales]:
            raise ModelBuildError(
                f"it is quantized: {len(quantized)} tensors, such as {quantized[0]}, are integers "
                "with scales. The float32 file from which it was converted is needed; facekit "
                "convert NAME --int8 converts that to integers."
            )
        self._add_input(size)
        for operator in self.tables.operators:
            tensor_name = self.tables.tensors[operator.outputs[0]].name
            with reading(NODE, f"{tensor_name}, a {operator.kind},"):
                self._add(operator)
        outputs = [self.values.get(index) for index in self.tables.outputs]
        nodes = tuple(tensor for tensor in outputs if isinstance(tensor, Node))
        if not nodes or len(nodes) != len(outputs):
            raise ModelBuildError("its outputs must be computed.")
        return merge_prelus(Graph(name, nodes))

    def _add_input(self, size: tuple[int, int] | None) -> None:
        if len(self.tables.inputs) != 1:
            raise ModelBuildError(f"one input needed. Received: {len(self.tables.inputs)}.")
        (index,) = self.tables.inputs
        tensor, shape = self.tables.tensors[index], self.tables.tensors[index].shape
        static_sizes = [dimension for dimension in shape if dimension != DYNAMIC]
        if (
            tensor.kind != "FLOAT32"
            or len(shape) != 4
            or min(static_sizes, default=1) < 1
            or shape[0] > 1
        ):
            raise ModelBuildError(
                f"{tensor.name} must be one float32 image, (1, height, width, channels). "
                f"Received: shape {shape}, {tensor.kind}."
            )
        name = self._name(index)
        if 0 < shape[3] <= _MAX_CHANNELS:
            self._store(index, operations.graph_input(name, _with_size(shape, size)))
        elif 0 < shape[1] <= _MAX_CHANNELS:
            count, channels, height, width = shape
            image = operations.graph_input(name, _with_size((count, height, width, channels), size))
            self._store(index, moves.transpose(image, (0, 3, 1, 2), f"{name}/channels_first"))
        else:
            raise ModelBuildError(
                f"{tensor.name} must have 1 to {_MAX_CHANNELS} channels, last or first. Received: "
                f"shape {shape}."
            )

    def _add(self, operator: FileOperator) -> None:
        inputs = [self._read(index) for index in operator.inputs]
        has_node = any(isinstance(tensor, Node) for tensor in inputs)
        readers = COMPUTE_READERS | DATA_MOVEMENT_READERS if has_node else CONSTANT_FOLDERS
        if operator.kind not in readers:
            tensor_name = self.tables.tensors[operator.outputs[0]].name
            title = operator.kind if has_node else f"{operator.kind} of constants"
            raise ModelBuildError(
                f"{tensor_name} is a {title}. Known are {', '.join(sorted(readers))}."
            )
        names = [self._name(index) for index in operator.outputs]
        activation = _activation(operator) if has_node else None
        op = OperatorArguments(
            [names[0] + LINEAR, *names[1:]] if activation else names, inputs, operator
        )
        result = readers[operator.kind](op)
        values = [result] if isinstance(result, (Node, np.ndarray)) else list(result)
        if activation is not None and isinstance(values[0], Node):
            values[0] = operations.activation(activation, values[0], names[0])
        for index, value in zip(operator.outputs, values, strict=True):
            self._store(index, value)

    def _read(self, index: int) -> Value | None:
        if index == OMITTED_INPUT:
            return None
        if index not in self.values:
            tensor = self.tables.tensors[index]
            if tensor.content is None and 0 not in tensor.shape:
                raise ModelBuildError(f"{tensor.name} is used before an operator computes it.")
            self.values[index] = tensor.values()
        return self.values[index]

    def _store(self, index: int, value: Value) -> None:
        tensor = self.tables.tensors[index]
        if index in self.values or tensor.content is not None:
            raise ModelBuildError(f"two operators compute {tensor.name}.")
        if isinstance(value, Node):
            if tensor.shape and not _shapes_agree(value.shape, tensor.shape):  # () means unknown
                raise ModelBuildError(
                    f"{tensor.name} must be of shape {value.shape}. Received: {tensor.shape}."
                )
            self.elements += abs(prod(value.shape))
        else:
            self.elements += value.size
        if self.elements > _MAX_ELEMENTS:
            raise ModelBuildError(
                f"{tensor.name} is of shape {tensor.shape}; {_MAX_ELEMENTS} elements are allowed "
                "in all activations for one image."
            )
        self.values[index] = value

    def _name(self, index: int) -> str:
        """Returns the tensor's name, extended by the tensor's index if the name is already used."""
        name = strip_network_name(self.tables.tensors[index].name)
        name = f"{name}/{index}" if name in self.names else name
        self.names |= {name, name + LINEAR}
        return name


def _with_size(shape: Shape, size: tuple[int, int] | None) -> Shape:
    """Replaces the dynamic dimensions of (N, H, W, C) by a batch of 1 and `size`, unless `size` is
    None."""
    if size is None:
        return shape
    fixed = (1, *size, shape[3])
    return tuple(new if old == DYNAMIC else old for old, new in zip(shape, fixed, strict=True))


def _activation(operator: FileOperator) -> Operation | None:
    if not operator.options_kind:
        return None
    options = operator.options(operator.options_kind)
    number = options.FusedActivationFunction() if hasattr(options, "FusedActivationFunction") else 0
    if number and number not in _ACTIVATIONS:
        raise ValueError(f"the fused activation {number} is not known")
    return _ACTIVATIONS.get(number)


def _shapes_agree(shape: Shape, file_shape: Shape) -> bool:
    """Returns whether the shapes are equal, where a dynamic dimension equals any size."""
    pairs = zip(shape, file_shape, strict=False)
    return len(shape) == len(file_shape) and all(a == b or DYNAMIC in (a, b) for a, b in pairs)
