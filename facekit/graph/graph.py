"""A network for inference: the common form of all file readers and all file writers.

A `Graph` stores its output nodes.  Each `Node` stores its input nodes, its weights and the shape of
its output.  A graph therefore cannot refer to a tensor that does not exist, and it cannot contain a
cycle.  Nodes are created by the functions in `facekit.graph.operations` and `facekit.graph.moves`,
which check their arguments.
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
"""The size of each dimension, e.g. (N, height, width, channels) or (N, features), channels last.  A
dimension without a fixed size is DYNAMIC (-1)."""
DYNAMIC = -1
Pads: TypeAlias = tuple[int, int, int, int]
"""Rows above, columns on the left, rows below, columns on the right."""
NO_PADS: Pads = (0, 0, 0, 0)


class Operation(str, Enum):
    """The operation of a node, with the names and layouts of its weights.

    An operation with two input nodes broadcasts their shapes as NumPy does: dimensions are compared
    from the last one backwards, and a dimension of size 1 is repeated.  An operation with one input
    node and a constant stores the constant as the weight "constant".  The constant is (channels,),
    or it has as many dimensions as the input, each 1 or equal to the input's dimension.
    """

    INPUT = "input"
    CONVOLUTION = "convolution"
    """Weights: kernel (height, width, in / groups, out) and optionally bias (out,).  The number of
    groups is the number of input channels / kernel.shape[2]."""
    DENSE = "dense"
    """A matrix product over the last dimension.  Weights: kernel (in, out) and optionally bias
    (out,)."""
    BATCH_NORM = "batch norm"
    """Batch normalization that is not folded into a layer.  Weights: beta, mean, variance and
    optionally gamma, each of shape (channels,).  Float attribute: "epsilon"."""
    ADD = "add"
    """The sum of two input nodes, or of one input node and the weight "constant"."""
    MULTIPLY = "multiply"
    """The product.  The inputs are as for ADD."""
    MAXIMUM = "maximum"
    """The elementwise maximum.  The inputs are as for ADD."""
    MINIMUM = "minimum"
    """The elementwise minimum.  The inputs are as for ADD."""
    SUBTRACT = "subtract"
    """Input 0 minus input 1."""
    DIVIDE = "divide"
    """Input 0 divided by input 1."""
    POWER = "power"
    """x to the power of the float attribute "exponent", e.g. 0.5 for the square root."""
    RELU = "ReLU"
    RELU6 = "ReLU6"
    """min(max(x, 0), 6)."""
    PRELU = "PReLU"
    """x if x is positive, else slope * x.  Weight: slope (channels,)."""
    LEAKY_RELU = "leaky ReLU"
    """x if x is positive, else slope * x, where slope is a float attribute."""
    ELU = "ELU"
    """x if x is positive, else exp(x) - 1."""
    SIGMOID = "sigmoid"
    HARD_SWISH = "hard swish"
    """x * ReLU6(x + 3) / 6."""
    GELU = "GELU"
    """x * (1 + erf(x / sqrt(2))) / 2."""
    ERF = "erf"
    """The error function.  LiteRT has it within GELU only."""
    SOFTMAX = "softmax"
    """The softmax over the last dimension, channels."""
    UNIT_LENGTH = "unit length"
    """x / sqrt(sum(x * x)), where the sum runs over the last dimension, channels."""
    PAD = "pad"
    """Adds as many rows and columns around an image as `window.pads` states.  The fill value is the
    float attribute "value", or 0 if the node has no such attribute."""
    MAX_POOL = "max pool"
    """The maximum of each window.  Padding has no influence: it counts as minus infinity."""
    AVERAGE_POOL = "average pool"
    """The mean of each window's elements that lie inside the image: padding is not counted."""
    REDUCE_MEAN = "mean"
    """The mean over the axes in the int attribute "axes".  If the output has the rank of the input,
    these axes stay with size 1; otherwise they are removed.  For an image the axes are usually (1,
    2), height and width."""
    REDUCE_SUM = "sum"
    """The sum over "axes", as for REDUCE_MEAN."""
    REDUCE_MAX = "reduce max"
    """The maximum over "axes", as for REDUCE_MEAN."""
    RESHAPE = "reshape"
    """The same elements in the same order (row-major) with the node's shape, in which at most one
    dimension is DYNAMIC."""
    TRANSPOSE = "transpose"
    """Output axis n is input axis order[n], where "order" is an int attribute."""
    CONCATENATE = "concatenate"
    """Joins the inputs along the one axis in the int attribute "axis"."""
    SLICE = "slice"
    """On each axis, takes the elements from "begin" to "end", "end" excluded, in steps of "step".
    These int attributes have one entry per axis.  DYNAMIC as an end means the end of a dynamic
    axis."""
    BROADCAST = "broadcast"
    """Repeats dimensions of size 1 until the output has the node's shape, as stated above."""
    RESIZE_NEAREST = "resize to nearest"
    """Resizes an image, as `resizing` states.  With scale = input rows / output rows, output row y
    is the input row floor(y * scale) for ASYMMETRIC, floor((y + 0.5) * scale) for HALF_PIXEL, and
    round(y * (input rows - 1) / (output rows - 1)) for ALIGN_CORNERS.  Columns follow the same
    rule."""
    RESIZE_BILINEAR = "resize bilinear"
    """Resizes an image, as `resizing` states.  Output row y lies at the input row y * scale for
    ASYMMETRIC, (y + 0.5) * scale - 0.5 for HALF_PIXEL, and y * (input rows - 1) / (output rows - 1)
    for ALIGN_CORNERS.  It is interpolated linearly between the two nearest input rows."""


class Coordinates(Enum):
    """The rule by which rows and columns of a resized image are placed in the input image."""

    ASYMMETRIC = "asymmetric"
    """The centers of the first input row and the first output row coincide."""
    HALF_PIXEL = "half pixel"
    """The outer borders of the input image and the output image coincide."""
    ALIGN_CORNERS = "align corners"
    """The centers of the first rows coincide, and so do the centers of the last rows."""


@dataclass(frozen=True, slots=True)
class Resizing:
    """The rule by which an image is resized to the node's shape."""

    coordinates: Coordinates
    factors: tuple[int, int] | None = None
    """(output rows / input rows, output columns / input columns).  Needed if height and width are
    DYNAMIC, because the node's shape then does not determine the scale; otherwise None."""


@dataclass(frozen=True, slots=True)
class Window:
    """The size and the steps of a kernel or pooling window that moves over an image.

    Pairs are (rows, columns), in pixels.
    """

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: Pads | None = NO_PADS
    """None is TensorFlow's "SAME" padding: ceil(input size / stride) outputs.  If the total padding
    is odd, the extra row or column is added at the end."""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Node:
    """One operation and its output tensor."""

    operation: Operation
    name: str
    """The name of the output tensor, unique in the graph."""
    inputs: tuple[Node, ...]
    shape: Shape
    weights: Mapping[str, Float32Array] = field(default_factory=lambda: MappingProxyType({}))
    window: Window = Window()
    float_attributes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Settings of the operation by name, e.g. "epsilon"; see `Operation`."""
    int_attributes: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Settings about axes by name: "axes", "order", "axis", "begin", "end", "step".  Axes are
    counted from 0."""
    resizing: Resizing | None = None

    def __repr__(self) -> str:
        """Returns a text without the inputs, whose nested text would grow exponentially."""
        return f"Node({self.operation.value} {self.name}, {self.shape})"


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network.  The constructor raises ModelBuildError if two nodes have the same name."""

    name: str
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...] = field(init=False, repr=False)
    """All nodes that an output depends on, inputs before the nodes that use them, in a
    deterministic order."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(_topological_order(self.outputs)))
        counts = Counter(node.name for node in self.nodes)
        if repeated := [name for name, count in counts.items() if count > 1]:
            raise ModelBuildError(f"{self.name} has two nodes called {repeated[0]}.")

    @property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.operation is Operation.INPUT)

    @property
    def use_counts(self) -> Counter[Node]:
        """The number of uses of each node, as another node's input or as an output of the graph."""
        return Counter([*self.outputs, *(used for node in self.nodes for used in node.inputs)])

    def rewrite(self, change: Callable[[Node], Node]) -> Graph:
        """Returns the graph with each node replaced by `change(node)`.

        Nodes are visited in topological order, so that the inputs of `node` have already been
        replaced.
        """
        replaced: dict[Node, Node] = {}
        for node in self.nodes:
            replaced[node] = change(
                replace(node, inputs=tuple(replaced[used] for used in node.inputs))
            )
        return Graph(self.name, tuple(replaced[node] for node in self.outputs))


def _topological_order(outputs: tuple[Node, ...]) -> Iterator[Node]:
    """Yields all nodes in topological order, inputs first.

    The function is iterative, because a graph may be deeper than Python's recursion limit.
    """
    seen: set[Node] = set()
    pending = [(node, False) for node in reversed(outputs)]
    while pending:
        node, ready = pending.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            pending.append((node, True))
            pending += [(used, False) for used in reversed(node.inputs)]
