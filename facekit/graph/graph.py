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
"""(N, height, width, channels), (N, numbers), or any other sides, channels last; OPEN where a side
may be any"""
OPEN = -1
Pads: TypeAlias = tuple[int, int, int, int]
"""rows above, columns left, rows below, columns right"""
NO_PADS: Pads = (0, 0, 0, 0)


class Operation(str, Enum):
    """What a node does.  Weights are named and laid out as said here.

    Of what reads two nodes, their shapes broadcast as NumPy's do: sides are compared from the
    last one backwards, and a side of 1 is repeated.  The weight "constant" of an operation of one
    node is (channels,), or has as many sides as the node, each of 1 or the node's own.
    """

    INPUT = "input"
    CONVOLUTION = "convolution"
    """kernel (height, width, in / groups, out), bias (out,) or none; as many groups as follow
    from the channels it reads"""
    DENSE = "dense"
    """over the last side; kernel (in, out), bias (out,) or none"""
    BATCH_NORM = "batch norm"
    """as trained: beta, mean, variance and maybe gamma, (channels,) each; number "epsilon" """
    ADD = "add"
    """two nodes, or one node and the weight "constant" """
    MULTIPLY = "multiply"
    """as ADD"""
    MAXIMUM = "maximum"
    """as ADD: the greater of both"""
    MINIMUM = "minimum"
    """as ADD: the lesser of both"""
    SUBTRACT = "subtract"
    """the second of two nodes from the first"""
    DIVIDE = "divide"
    """the first of two nodes by the second"""
    POWER = "power"
    """number "exponent": 0.5 is the square root, 2 the square, -1 the reciprocal"""
    RELU = "ReLU"
    RELU6 = "ReLU6"
    """no less than 0, no more than 6"""
    PRELU = "PReLU"
    """slope (channels,): the factor below zero"""
    LEAKY_RELU = "leaky ReLU"
    """number "slope": the one factor below zero"""
    ELU = "ELU"
    """exp(x) - 1 below zero"""
    SIGMOID = "sigmoid"
    HARD_SWISH = "hard swish"
    """x * ReLU6(x + 3) / 6"""
    SOFTMAX = "softmax"
    """over channels"""
    UNIT_LENGTH = "unit length"
    """x / sqrt(sum(x * x)), the sum over channels"""
    PAD = "pad"
    """rows and columns around a picture: its window's pads; number "value", or zeros"""
    MAX_POOL = "max pool"
    """pads count as less than any number"""
    AVERAGE_POOL = "average pool"
    """the mean of that part of the picture which lies in the window: pads are not counted"""
    MEAN = "mean"
    """over the sides "axes", which stay as 1 where the node has as many sides as what it reads,
    and else are gone; of a picture mostly (1, 2), height and width"""
    SUM = "sum"
    """as MEAN"""
    GREATEST = "greatest"
    """as MEAN"""
    RESHAPE = "reshape"
    """the same numbers in the same order, the last side running fastest, in the node's shape; it
    has one open side at most"""
    TRANSPOSE = "transpose"
    """side n is side "order"[n] of what it reads"""
    CONCATENATE = "concatenate"
    """along the one side "axis" """
    SLICE = "slice"
    """of each side those from "begin" up to, without, "end", every "step"-th; an end of OPEN is
    the end of a side that is open"""
    BROADCAST = "broadcast"
    """repeated to the node's shape, as said above"""
    RESIZE_NEAREST = "resize to nearest"
    """of a picture, by its resizing: output row y is row floor(y * scale) for ASYMMETRIC,
    floor((y + 0.5) * scale) for HALF_PIXEL, with scale = rows read / rows given, and
    round(y * (rows read - 1) / (rows given - 1)) for ALIGN_CORNERS; columns alike"""
    RESIZE_BILINEAR = "resize bilinear"
    """of a picture, by its resizing: output row y lies at row y * scale, (y + 0.5) * scale - 0.5
    or y * (rows read - 1) / (rows given - 1), and is mixed of the two rows around"""


class Coordinates(Enum):
    """Where the rows and columns of a resized picture lie in the picture before."""

    ASYMMETRIC = "asymmetric"
    """the first of both lie on each other"""
    HALF_PIXEL = "half pixel"
    """the borders of both lie on each other"""
    ALIGN_CORNERS = "align corners"
    """the first and the last of both lie on each other"""


@dataclass(frozen=True, slots=True)
class Resizing:
    """How a picture is resized to its node's shape."""

    coordinates: Coordinates
    factors: tuple[int, int] | None = None
    """rows given / rows read, and columns: for open sides, whose shape does not say it"""


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
    integers: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """settings about sides: "axes", "order", "axis", "begin", "end", "step", counted from 0"""
    resizing: Resizing | None = None

    def __repr__(self) -> str:
        """Without what leads to it: told in full, a graph of residual blocks has no end."""
        return f"Node({self.operation.value} {self.name}, {self.shape})"


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network.  Raises ModelBuildError where two nodes have one name."""

    name: str
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...] = field(init=False, repr=False)
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
