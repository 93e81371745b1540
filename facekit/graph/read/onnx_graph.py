"""An ONNX face network as a graph of ours, without the packages onnx and onnxruntime.

Nothing in the file is executed.  Only what leads to an output is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import OPEN, Graph, Node, Shape
from facekit.graph.prelu import with_prelus
from facekit.graph.read.onnx_constants import CONSTANTS
from facekit.graph.read.onnx_file import FLOAT32, onnx_graph, require_own_operator, tensor_values
from facekit.graph.read.onnx_layers import LAYERS
from facekit.graph.read.onnx_moves import MOVES
from facekit.graph.read.onnx_numbers import NUMBERS
from facekit.graph.read.onnx_resize import RESIZES
from facekit.graph.read.onnx_settings import Arguments, Settings
from facekit.graph.read.onnx_shapes import channels_last, plain
from facekit.graph.read.onnx_values import Arranger, Constant, Value

OPERATORS: dict[str, Callable[[Arguments], Value | tuple[Value, ...] | Constant]] = {
    **LAYERS,
    **NUMBERS,
    **MOVES,
    **RESIZES,
}
"""of what is computed"""
_INTEGER = re.compile("Quantize|Dequantize|^QLinear|Integer$")
_MOST_NUMBERS = 1 << 27
"""of what all nodes together give for one picture; face networks have some tens of millions"""
_MOST_CONSTANT = 1 << 27
"""numbers of all constants that are calculated"""
_MOST_CHANNELS = 4  # of a picture
_MOST_NAMED = 8  # tensors in an error message
_MISFITS = (ValueError, IndexError, KeyError, TypeError, OverflowError)
"""what comes of inputs and numbers that nobody expects"""
_COPY_NUMBER = re.compile(r"_(\d+)(?=[/:])")


def read_onnx_graph(
    path: Path, *, name: str, size: tuple[int, int] | None = None, any_size: bool = False
) -> Graph:
    """The network from one picture, (1, height, width, channels), to its outputs, in the file's
    order and have its names; an output that is a picture has its channels last, too.

    `size`: height and width of the picture, where the file leaves them open.
    `any_size`: the graph leaves them open, whatever the file says.
    Raises ModelBuildError naming the file and the node: an operator or form that is not known, a
    tensor that is missing, of another shape, or not finite.
    """
    try:
        # What does not fit into float32 is found as not finite.
        with np.errstate(all="ignore"):
            source, opset = onnx_graph(path)
            return _Reader(source, opset).graph(name, (OPEN, OPEN) if any_size else size)
    except ModelBuildError as error:
        raise ModelBuildError(f"{path.name}: {error}") from error
    except _MISFITS as error:
        raise ModelBuildError(f"{path.name} cannot be read: {error}.") from error


class _Reader:
    """One file, and what has been made of it: in its order, in which nothing reads ahead."""

    def __init__(self, source: Any, opset: int) -> None:
        self.source = source
        self.opset = opset
        self.arranger = Arranger()
        self.tensors: dict[str, Any] = {}
        self.constants: dict[str, Constant] = {}
        self.values: dict[str, Value] = {}
        self.computed = self.calculated = 0
        """numbers so far, of nodes and of constants"""

    def graph(self, name: str, size: tuple[int, int] | None) -> Graph:
        for tensor in self.source.initializer:
            if tensor.name in self.tensors:
                raise ModelBuildError(f"two tensors are called {tensor.name}.")
            self.tensors[tensor.name] = tensor
        needed = _needed(self.source)
        self._add_input(needed, size)
        for node in self.source.node:
            if needed.intersection(node.output):
                self._add(node)
        outputs = {one.name: self._output(one.name) for one in self.source.output}
        return with_prelus(_named(name, outputs))

    def _add_input(self, needed: set[str], size: tuple[int, int] | None) -> None:
        # Exporters list constants too, and quantizers leave the names of those they replaced.
        given = needed - self.tensors.keys()
        inputs = [one for one in self.source.input if one.name in given]
        if len(inputs) != 1:
            raise ModelBuildError(f"one input needed. Found: {_listed(inputs)}.")
        (picture,) = inputs
        name, kind = picture.name, picture.type.tensor_type
        shape = tuple(max(dimension.dim_value, 0) for dimension in kind.shape.dim)
        axes = _picture_axes(shape)
        if kind.elem_type != FLOAT32 or axes is None or shape[0] > 1:
            raise ModelBuildError(
                f"{name} must be one float32 picture, (1, channels, height, width) or (1, height, "
                f"width, channels). Received: shape {shape}, data type {kind.elem_type}."
            )
        sides = dict(zip(axes, shape, strict=True))
        height, width = sides[1], sides[2]
        if size is not None:
            height, width = (
                side if side and OPEN not in size else wanted
                for side, wanted in zip((height, width), size, strict=True)
            )
        if 0 in (height, width):
            raise ModelBuildError(
                f"{name} has open sides, shape {shape}. Give the size of the picture."
            )
        node = operations.graph_input(name, (1, height, width, sides[3]))
        self._keep(name, Value(node, axes))

    def _add(self, node: Any) -> None:
        if not node.output or not node.output[0]:
            raise ModelBuildError(f"{node.name or node.op_type} gives nothing.")
        name = node.output[0]
        try:
            made = self._made(node, name)
        except _MISFITS as error:
            raise ModelBuildError(f"{name}, a {node.op_type}, cannot be read: {error}.") from error
        for one, value in zip(node.output, made, strict=False):
            if not one:
                continue
            if one in self.values or one in self.tensors:
                raise ModelBuildError(f"two tensors are called {one}.")
            if isinstance(value, Value):
                self._keep(one, value)
                continue
            self.calculated += value.size if value.base is None else 0  # a view takes no room
            if self.calculated > _MOST_CONSTANT:
                raise ModelBuildError(f"{one}: constants of more than {_MOST_CONSTANT} numbers.")
            self.constants[one] = value

    def _made(self, node: Any, name: str) -> tuple[Value | Constant, ...]:
        require_own_operator(node, name)
        kind, inputs = node.op_type, [self._read(one, name) for one in node.input]
        settings = Settings(node, name)
        given = Arguments(
            _node_name(name),
            inputs,
            settings,
            self.arranger,
            opset=self.opset,
            outputs=[_node_name(one) for one in node.output],
        )
        made: Value | Constant | tuple[Value, ...]
        data = any(isinstance(one, Value) for one in inputs)
        if data and _INTEGER.search(kind):
            raise ModelBuildError(
                f"{name} is a {kind} of what is computed: the network is quantized. Import the "
                "float32 file that it was made from."
            )
        known = OPERATORS if data else CONSTANTS
        if kind not in known:
            what = "" if data else " of constants"
            raise ModelBuildError(
                f"{name} is a {kind}{what}. Known are {', '.join(sorted(known))}."
            )
        made = known[kind](given)
        settings.require_all_read()
        return made if isinstance(made, tuple) else (made,)

    def _read(self, name: str, reader: str) -> Value | Constant | None:
        """None is an input that is left out."""
        if not name:
            return None
        if name in self.values:
            return self.values[name]
        if name not in self.constants:
            if name not in self.tensors:
                raise ModelBuildError(f"{reader} reads {name}, which nothing before it gives.")
            self.constants[name] = tensor_values(self.tensors[name], name)
        return self.constants[name]

    def _keep(self, name: str, value: Value) -> None:
        self.computed += abs(prod(value.node.shape))
        if self.computed > _MOST_NUMBERS or 0 in value.node.shape:
            raise ModelBuildError(
                f"{name} is of shape {value.node.shape}; 1 to {_MOST_NUMBERS} numbers are allowed "
                "in all that is computed for a picture."
            )
        self.values[name] = value

    def _output(self, name: str) -> Node:
        """In the file's order of sides, but that channels are last; of one pixel a vector."""
        if name not in self.values:
            raise ModelBuildError(f"the output {name} must be computed.")
        value = self.values[name]
        shape = value.shape
        if len(shape) == 4 and shape[2:] == (1, 1):
            value = self.arranger.reshaped(value, shape[:2])
        rank = len(value.axes)
        if rank == 4 and value.axes == channels_last(rank):
            return value.node
        return self.arranger.arranged(value, plain(rank))


def _needed(source: Any) -> set[str]:
    """Names of all tensors that lead to an output."""
    if not source.output:
        raise ModelBuildError("it has no output.")
    givers: dict[str, int] = {}
    for place, node in enumerate(source.node):
        for name in filter(None, node.output):
            if name in givers:
                raise ModelBuildError(f"two tensors are called {name}.")
            givers[name] = place
    needed: set[str] = set()
    pending = [one.name for one in source.output]
    asked: set[int] = set()
    while pending:
        name = pending.pop()
        needed.add(name)
        if name in givers and givers[name] not in asked:
            asked.add(givers[name])
            pending += filter(None, source.node[givers[name]].input)
    return needed


def _picture_axes(shape: Shape) -> tuple[int, ...] | None:
    """Where the sides of a picture lie here, by which side is as short as channels are."""
    if len(shape) != 4:
        return None
    for axes, channels in ((channels_last(4), shape[1]), (plain(4), shape[3])):
        if 0 < channels <= _MOST_CHANNELS:
            return axes
    return None


def _named(name: str, outputs: dict[str, Node]) -> Graph:
    """Each output called as in the file; the node that was called so has another name then."""
    graph = Graph(name, tuple(outputs.values()))
    wanted = {node.name: one for one, node in outputs.items()}
    if len(wanted) < len(outputs):
        raise ModelBuildError(f"its outputs {', '.join(outputs)} are in part the same.")
    taken = set(wanted.values()) - wanted.keys()

    def renamed(node: Node) -> Node:
        if node.name in wanted:
            return replace(node, name=wanted[node.name])
        return replace(node, name=f"{node.name}/before") if node.name in taken else node

    return graph.rewritten(renamed)


def _node_name(name: str) -> str:
    """Whatever is cut off from names of activations must not be in it; see
    `facekit.graph.activations`."""
    return _COPY_NUMBER.sub(r".\1", name).replace(";", ",")


def _listed(values: Any) -> str:
    return ", ".join(one.name for one in values[:_MOST_NAMED]) or "none"
