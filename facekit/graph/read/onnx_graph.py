"""An ONNX face network as a graph of ours, without the packages onnx and onnxruntime.

ONNX has channels first, we have them last: kernels are turned, and what reads a flattened picture
has its weights put into our order.  Nothing in the file is executed.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Graph
from facekit.graph.read.onnx_constants import CONSTANT_OPERATORS
from facekit.graph.read.onnx_file import FLOAT32, onnx_graph, require_own_operator, tensor_values
from facekit.graph.read.onnx_nodes import NODE_OPERATORS, Arguments, Value
from facekit.graph.read.onnx_settings import Settings

_MOST_NUMBERS = 1 << 27
"""of what all nodes together give for one picture; face networks have some tens of millions"""
_MOST_CHANNELS = 4  # of a picture
_MOST_NAMED = 8  # tensors in an error message
_MISFITS = (ValueError, IndexError, KeyError, TypeError, OverflowError)
"""what comes of inputs and numbers that nobody expects"""


def read_onnx_graph(path: Path, *, name: str, size: tuple[int, int] | None = None) -> Graph:
    """The network from one picture, (1, height, width, channels), to its one output.

    `size`: height and width of the picture, where the file leaves them open.
    Raises ModelBuildError naming the file and the node: an operator or form that is not known, a
    tensor that is missing, of another shape, not finite, used twice or not at all.
    """
    try:
        # What does not fit into float32 is found as not finite.
        with np.errstate(all="ignore"):
            return _Reader(onnx_graph(path), size).graph(name)
    except ModelBuildError as error:
        raise ModelBuildError(f"{path.name}: {error}") from error
    except _MISFITS as error:
        raise ModelBuildError(f"{path.name} cannot be read: {error}.") from error


class _Reader:
    """One file, and what has been made of it: in its order, in which nothing reads ahead."""

    def __init__(self, source: Any, size: tuple[int, int] | None) -> None:
        self.source = source
        self.size = size
        self.constants: dict[str, NDArray[Any]] = {}
        self.values: dict[str, Value] = {}
        self.used: Counter[str] = Counter()
        self.numbers = 0

    def graph(self, name: str) -> Graph:
        for tensor in self.source.initializer:
            self._require_new(tensor.name)
            self.constants[tensor.name] = tensor_values(tensor, tensor.name)
        self._add_input()
        for node in self.source.node:
            try:
                self._add(node)
            except _MISFITS as error:
                which = node.output[0] if node.output else node.name
                raise ModelBuildError(
                    f"{which}, a {node.op_type}, cannot be read: {error}."
                ) from error
        output = self._output()
        self._require_all_used()
        return Graph(name, (output.node,))

    def _add_input(self) -> None:
        # Exporters list constants too, and quantisers leave the names of those they replaced.
        read = {name for node in self.source.node for name in node.input} - self.constants.keys()
        inputs = [one for one in self.source.input if one.name in read]
        if len(inputs) != 1:
            raise ModelBuildError(f"one input needed. Found: {_listed(inputs)}.")
        (picture,) = inputs
        name, kind = picture.name, picture.type.tensor_type
        shape = tuple(dimension.dim_value for dimension in kind.shape.dim)
        if self.size is not None:
            shape = _sized(shape, self.size)
        if kind.elem_type != FLOAT32 or len(shape) != 4 or min(shape[1:]) < 1 or shape[0] > 1:
            raise ModelBuildError(
                f"{name} must be one float32 picture of a known size, (1, channels, height, "
                f"width). Received: shape {shape}, data type {kind.elem_type}."
            )
        _, channels, height, width = shape
        if channels > _MOST_CHANNELS:
            raise ModelBuildError(
                f"{name} must have its channels first, (1, channels, height, width). Received: "
                f"shape {shape}."
            )
        self._keep(name, Value(operations.graph_input(name, (1, height, width, channels))))

    def _add(self, node: Any) -> None:
        if not node.output or not node.output[0]:
            raise ModelBuildError(f"{node.name or node.op_type} gives nothing.")
        name = node.output[0]
        require_own_operator(node, name)
        self._require_new(name)
        inputs = [self._read(one, name) for one in node.input]
        settings = Settings(node, name)
        data = any(isinstance(one, Value) for one in inputs)
        if not data and node.op_type in CONSTANT_OPERATORS:
            arrays = [one for one in inputs if isinstance(one, np.ndarray)]
            self.constants[name] = CONSTANT_OPERATORS[node.op_type](arrays, settings)
        elif data and node.op_type in NODE_OPERATORS:
            self._keep(name, NODE_OPERATORS[node.op_type](Arguments(name, inputs), settings))
        else:
            known = NODE_OPERATORS if data else CONSTANT_OPERATORS
            what = "" if data else " of constants"
            raise ModelBuildError(
                f"{name} is a {node.op_type}{what}. Known are {', '.join(sorted(known))}."
            )
        settings.require_all_read()

    def _read(self, name: str, reader: str) -> Value | NDArray[Any] | None:
        """None is an input that is left out."""
        if not name:
            return None
        self.used[name] += 1
        if name in self.values:
            return self.values[name]
        if name not in self.constants:
            raise ModelBuildError(f"{reader} reads {name}, which nothing before it gives.")
        constant = self.constants[name]
        if self.used[name] > 1 and constant.size > 1:  # single numbers may be shared
            raise ModelBuildError(f"{name} is used in several places.")
        return constant

    def _keep(self, name: str, value: Value) -> None:
        self.numbers += prod(value.node.shape)
        if self.numbers > _MOST_NUMBERS:
            raise ModelBuildError(
                f"{name} is of shape {value.node.shape}; {_MOST_NUMBERS} numbers are allowed in "
                "all that is computed for a picture."
            )
        self.values[name] = value

    def _output(self) -> Value:
        outputs = self.source.output
        if len(outputs) != 1 or outputs[0].name not in self.values:
            raise ModelBuildError(f"one computed output needed. Found: {_listed(outputs)}.")
        (output,) = outputs
        self.used[output.name] += 1
        value = self.values[output.name]
        if value.order is not None:
            raise ModelBuildError(f"{output.name} is a flattened picture; numbers of one needed.")
        return value

    def _require_new(self, name: str) -> None:
        if name in self.constants or name in self.values:
            raise ModelBuildError(f"two tensors are called {name}.")

    def _require_all_used(self) -> None:
        """Shapes may be left over, as exporters do."""
        weights = [name for name, one in self.constants.items() if one.dtype == np.float32]
        for name in (*self.values, *weights):
            if not self.used[name]:
                raise ModelBuildError(f"{name} leads to no output.")


def _sized(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, ...]:
    """With (height, width) for the sides that are 0, which are open, of either layout."""
    last = len(shape) == 4 and 1 <= shape[3] <= _MOST_CHANNELS and shape[1] != shape[3]
    sized = (*shape[:1], *size, *shape[3:]) if last else (*shape[:2], *size)
    if len(shape) != 4:
        return shape
    return tuple(side or other for side, other in zip(shape, sized, strict=True))


def _listed(values: Any) -> str:
    return ", ".join(one.name for one in values[:_MOST_NAMED]) or "none"
