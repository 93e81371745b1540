"""A LiteRT file in float32 as a graph, whoever made it: facekit, TensorFlow, onnx2tf, PyTorch.

Nodes are called as the file's tensors, without the name of the network that stands before them
all.  Nothing in the file is run.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.activations import LINEAR, layer_name
from facekit.graph.graph import OPEN, Graph, Node, Operation, Shape
from facekit.graph.prelu import with_prelus
from facekit.graph.read.litert_file import (
    IDENTIFIER,
    LEFT_OUT,
    MISFITS,
    FileOperator,
    LiteRtTables,
    read_tables,
)
from facekit.graph.read.litert_given import Given, Value
from facekit.graph.read.litert_moves import MOVING, OF_CONSTANTS
from facekit.graph.read.litert_operators import CALCULATING

_MOST_NUMBERS = 1 << 27
"""of what all nodes together give for one picture; face networks have some tens of millions"""
_MOST_CHANNELS = 4  # of a picture
_ACTIVATIONS = {1: Operation.RELU, 3: Operation.RELU6}
"""by the schema's ActivationFunctionType"""


def is_litert(path: Path) -> bool:
    """Raises OSError."""
    with path.open("rb") as file:
        return file.read(8)[4:] == IDENTIFIER


def read_litert_graph(path: Path, *, name: str, size: tuple[int, int] | None = None) -> Graph:
    """The network from one picture, (1, height, width, channels) or an open batch, to its outputs.

    A picture with channels first in the file has them last here.  `size`: height and width to
    take where the file leaves them open; the batch is 1 then.
    Raises ModelBuildError naming the file and the tensor: an operator or form that is not known,
    numbers that are not float32, a tensor that is missing, of another shape, or given twice.
    """
    try:
        # What does not fit into float32 is found as not finite.
        with np.errstate(all="ignore"):
            return _Reader(read_tables(path.read_bytes())).graph(name, size)
    except OSError as error:
        raise ModelBuildError(f"{path} cannot be read: {error.strerror}.") from error
    except ModelBuildError as error:
        raise ModelBuildError(f"{path.name}: {error}") from error
    except MISFITS as error:
        raise ModelBuildError(f"{path.name} cannot be read: {error}.") from error


class _Reader:
    """One file, and what its tensors are so far: in its order, in which nothing reads ahead."""

    def __init__(self, tables: LiteRtTables) -> None:
        self.tables = tables
        self.values: dict[int, Value] = {}
        self.names: set[str] = set()
        self.numbers = 0

    def graph(self, name: str, size: tuple[int, int] | None) -> Graph:
        if self.tables.subgraphs != 1:
            raise ModelBuildError(f"one subgraph needed. Received: {self.tables.subgraphs}.")
        if quantized := [one.name for one in self.tables.tensors if one.scales]:
            raise ModelBuildError(
                f"it is quantized: {len(quantized)} tensors, such as {quantized[0]}, are integers "
                "with scales. The float32 file that it was made of is needed; integers are made of "
                "that by facekit convert NAME --int8."
            )
        self._add_input(size)
        for operator in self.tables.operators:
            try:
                self._add(operator)
            except MISFITS as error:
                which = self.tables.tensors[operator.outputs[0]].name
                raise ModelBuildError(f"{which}, a {operator.kind}: {error}.") from error
        outputs = [self.values.get(index) for index in self.tables.outputs]
        nodes = tuple(one for one in outputs if isinstance(one, Node))
        if not nodes or len(nodes) != len(outputs):
            raise ModelBuildError("its outputs must be computed.")
        return with_prelus(Graph(name, nodes))

    def _add_input(self, size: tuple[int, int] | None) -> None:
        if len(self.tables.inputs) != 1:
            raise ModelBuildError(f"one input needed. Received: {len(self.tables.inputs)}.")
        (index,) = self.tables.inputs
        tensor, shape = self.tables.tensors[index], self.tables.tensors[index].shape
        sides = [side for side in shape if side != OPEN]
        if tensor.kind != "FLOAT32" or len(shape) != 4 or min(sides, default=1) < 1 or shape[0] > 1:
            raise ModelBuildError(
                f"{tensor.name} must be one float32 picture, (1, height, width, channels). "
                f"Received: shape {shape}, {tensor.kind}."
            )
        name = self._name(index)
        if 0 < shape[3] <= _MOST_CHANNELS:
            self._keep(index, operations.graph_input(name, _of_size(shape, size)))
        elif 0 < shape[1] <= _MOST_CHANNELS:
            count, channels, height, width = shape
            picture = operations.graph_input(name, _of_size((count, height, width, channels), size))
            self._keep(index, moves.transpose(picture, (0, 3, 1, 2), f"{name}/channels_first"))
        else:
            raise ModelBuildError(
                f"{tensor.name} must have 1 to {_MOST_CHANNELS} channels, last or first. Received: "
                f"shape {shape}."
            )

    def _add(self, operator: FileOperator) -> None:
        inputs = [self._read(index) for index in operator.inputs]
        data = any(isinstance(one, Node) for one in inputs)
        known = CALCULATING | MOVING if data else OF_CONSTANTS
        if operator.kind not in known:
            which = self.tables.tensors[operator.outputs[0]].name
            what = operator.kind if data else f"{operator.kind} of constants"
            raise ModelBuildError(f"{which} is a {what}. Known are {', '.join(sorted(known))}.")
        names = [self._name(index) for index in operator.outputs]
        activation = _activation(operator) if data else None
        given = Given([names[0] + LINEAR, *names[1:]] if activation else names, inputs, operator)
        made = known[operator.kind](given)
        values = [made] if isinstance(made, (Node, np.ndarray)) else list(made)
        if activation is not None and isinstance(values[0], Node):
            values[0] = operations.activation(activation, values[0], names[0])
        for index, value in zip(operator.outputs, values, strict=True):
            self._keep(index, value)

    def _read(self, index: int) -> Value | None:
        if index == LEFT_OUT:
            return None
        if index not in self.values:
            tensor = self.tables.tensors[index]
            if tensor.content is None and 0 not in tensor.shape:
                raise ModelBuildError(f"{tensor.name} is read before anything gives it.")
            self.values[index] = tensor.values()
        return self.values[index]

    def _keep(self, index: int, value: Value) -> None:
        tensor = self.tables.tensors[index]
        if index in self.values or tensor.content is not None:
            raise ModelBuildError(f"two operators give {tensor.name}.")
        if isinstance(value, Node):
            if tensor.shape and not _agree(value.shape, tensor.shape):  # () is not known
                raise ModelBuildError(
                    f"{tensor.name} must be of shape {value.shape}. Received: {tensor.shape}."
                )
            self.numbers += abs(prod(value.shape))
        else:
            self.numbers += value.size
        if self.numbers > _MOST_NUMBERS:
            raise ModelBuildError(
                f"{tensor.name} is of shape {tensor.shape}; {_MOST_NUMBERS} numbers are allowed in "
                "all that is computed for a picture."
            )
        self.values[index] = value

    def _name(self, index: int) -> str:
        """The tensor's; with its number where another has it."""
        name = layer_name(self.tables.tensors[index].name)
        name = f"{name}/{index}" if name in self.names else name
        self.names |= {name, name + LINEAR}
        return name


def _of_size(shape: Shape, size: tuple[int, int] | None) -> Shape:
    """(N, H, W, C) without open sides where a size is given."""
    if size is None:
        return shape
    fixed = (1, *size, shape[3])
    return tuple(new if old == OPEN else old for old, new in zip(shape, fixed, strict=True))


def _activation(operator: FileOperator) -> Operation | None:
    if not operator.options_kind:
        return None
    options = operator.options(operator.options_kind)
    number = options.FusedActivationFunction() if hasattr(options, "FusedActivationFunction") else 0
    if number and number not in _ACTIVATIONS:
        raise ValueError(f"the fused activation {number} is not known")
    return _ACTIVATIONS.get(number)


def _agree(ours: Shape, file: Shape) -> bool:
    """A side that is open in one of them may be any in the other."""
    pairs = zip(ours, file, strict=False)
    return len(ours) == len(file) and all(a == b or OPEN in (a, b) for a, b in pairs)
