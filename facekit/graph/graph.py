"""A network to run, not to train: what every reader gives and every writer takes.

A `Graph` is its outputs; each `Node` holds the nodes it reads, its weights, and the shape of what
it gives, so that a graph can neither name a tensor that is not there nor go in a circle.  The
functions in `facekit.graph.operations` make nodes, and check what they are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

Shape: TypeAlias = tuple[int, ...]
"""(N, height, width, channels) or (N, numbers); OPEN where a side may be any"""
OPEN = -1
Pads: TypeAlias = tuple[int, int, int, int]
"""rows above, columns left, rows below, columns right"""
NO_PADS: Pads = (0, 0, 0, 0)


class Operation(str, Enum):
    """What a node does.  Weights are named and laid out as said here."""

    INPUT = "input"
    CONVOLUTION = "convolution"
    """kernel (height, width, in / groups, out), bias (out,) or none; as many groups as follow
    from the channels it reads"""
    DENSE = "dense"
    """of vectors; kernel (in, out), bias (out,) or none"""
    BATCH_NORM = "batch norm"
    """as trained: beta, mean, variance and maybe gamma, (channels,) each; number "epsilon" """
    ADD = "add"
    """two nodes of one shape, or one node and the weight "constant", (channels,)"""
    MULTIPLY = "multiply"
    """as ADD"""
    RELU = "ReLU"
    PRELU = "PReLU"
    """slope (channels,): the factor below zero"""
    SOFTMAX = "softmax"
    """over channels"""
    PAD = "pad"
    """rows and columns of zeros: its window's pads"""
    MAX_POOL = "max pool"
    MEAN = "mean"
    """over height and width: (N, H, W, C) to (N, C)"""
    FLATTEN = "flatten"
    """(N, H, W, C) to (N, H * W * C): rows, columns, channels"""
    CONCATENATE = "concatenate"
    """of channels"""


@dataclass(frozen=True, slots=True)
class Window:
    """How a kernel or a pool goes over a picture: (rows, columns) each."""

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: Pads | None = NO_PADS
    """None is TensorFlow's "SAME": as many outputs as strides fit into the picture, of whatever
    size it is; the odd row or column is added at the end"""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Node:
    """One operation and what it gives."""

    operation: Operation
    name: str
    """of what it gives; no other node of its graph has it"""
    inputs: tuple[Node, ...]
    shape: Shape
    weights: Mapping[str, Float32Array] = field(default_factory=lambda: MappingProxyType({}))
    window: Window = Window()
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """settings of an operation that are no weights"""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network.  Raises ModelBuildError where two nodes have one name."""

    name: str
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...] = field(init=False)
    """all that lead to the outputs, each after those it reads, always in the same order"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(_in_order(self.outputs)))
        times = Counter(node.name for node in self.nodes)
        if twice := [name for name, count in times.items() if count > 1]:
            raise ModelBuildError(f"{self.name} has two nodes called {twice[0]}.")

    @property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.operation is Operation.INPUT)

    @property
    def readers(self) -> Counter[Node]:
        """How often each node is read: by other nodes, and as an output."""
        return Counter([*self.outputs, *(one for node in self.nodes for one in node.inputs)])

    def rewritten(self, change: Callable[[Node], Node]) -> Graph:
        """Each node replaced by what `change` makes of it; its inputs have been replaced before."""
        made: dict[Node, Node] = {}
        for node in self.nodes:
            made[node] = change(replace(node, inputs=tuple(made[one] for one in node.inputs)))
        return Graph(self.name, tuple(made[node] for node in self.outputs))


def _in_order(outputs: tuple[Node, ...]) -> Iterator[Node]:
    """Without recursion: a graph may be deeper than Python's stack."""
    seen: set[Node] = set()
    pending = [(node, False) for node in reversed(outputs)]
    while pending:
        node, ready = pending.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            pending.append((node, True))
            pending += [(one, False) for one in reversed(node.inputs)]
