"""Reads facenet's frozen GraphDef file into a facekit `Graph`, without TensorFlow.

Only the operations of a frozen face network are supported.  Nothing in the file is executed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import DYNAMIC, NO_PADS, Graph, Node, Operation, Pads
from facekit.graph.read.graph_def import GRAPH, graph_nodes, node_attributes, tensor_values
from facekit.graph.weights import reading_graph

_L2_NORM_NODE = re.compile(r"embeddings(/|$)")
_L2_NORM_OPERATIONS = ("Const", "Square", "Sum", "Maximum", "Rsqrt", "Mul")

_LAYER_NAMES = (
    (r"^InceptionResnetV1/", ""),
    (r"^Repeat(_\d)?/block(\d+_\d+)/", r"Block\2/"),
    (r"^Block8/", "Block8_6/"),
    (r"^Logits/AvgPool_1a_8x8/AvgPool$", "AvgPool/Mean"),
    (r"/BatchNorm/(cond/)?FusedBatchNorm(_1)?$", "_BatchNorm/batchnorm"),
    (r"/Relu$", "_Activation/Relu"),
    (r"/MaxPool$", "/MaxPool2d"),
    (r"^(Block\d+_\d+)/concat$", r"\1_Concatenate/concat"),
    (r"/mul$", "_Scale/mul"),
    (r"/add$", "_Add/Add"),
    (r"/(?=.*/)", "_"),  # all slashes except the last
)
"""Patterns that turn TF-Slim's node names into "<layer>/<operation>", with facekit's layer names.
Files with stored activation ranges use the same names."""


def read_tf_graph(path: Path, *, name: str) -> Graph:
    """Returns the network up to the raw embedding, without the L2 normalization that may follow.

    Raises ModelBuildError if an operation or its settings are not supported, if a tensor is
    missing, is not finite or has an inconsistent shape, if a node is not used, or if a constant is
    used twice.  The message names the file, and the node if the cause is one node.
    """
    nodes = graph_nodes(path)
    with reading_graph(GRAPH, path):
        return graph_of_nodes(nodes, name=name)


def graph_of_nodes(nodes: Any, *, name: str) -> Graph:
    """Returns the network of a GraphDef's nodes, with the errors of `read_tf_graph`."""
    return _Reader(nodes).graph(name)


class _Reader:
    """The nodes of one file, and the graph's nodes that have been created from them."""

    def __init__(self, nodes: Any) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.created: dict[str, Node] = {}
        self.used: Counter[str] = Counter()
        """The number of uses of each constant and operation so far."""

    def graph(self, name: str) -> Graph:
        output = self._output()
        pending = [output]
        started: set[str] = set()
        while pending:  # iterative, because a graph may be deeper than Python's recursion limit
            if self._is_available(pending[-1]):
                pending.pop()
                continue
            node = self._node_def(pending[-1])
            started.add(node.name)
            missing = [source for source in _inputs(node) if not self._is_available(source)]
            if cycle := started.intersection(missing):
                raise ModelBuildError(f"{cycle.pop()} is read by what it reads.")
            if missing:
                pending += missing
            else:
                self.created[node.name] = self._create_node(node)
        self.used[output] += 1
        self._require_uses()
        return Graph(name, (self.created[output],))

    def use_constant(self, name: str) -> NDArray[Any]:
        node = self._node_def(name)
        if node.op != "Const":
            raise ModelBuildError(f"{name} must be a constant. It is a {node.op}.")
        self.used[name] += 1
        values = tensor_values(node_attributes(node)["value"].tensor, name)
        if values is None:
            raise ModelBuildError(f"{name} must hold float32 or int32 numbers.")
        return values

    def use_node(self, name: str) -> Node:
        self.used[name] += 1
        return self.created[name]

    def is_constant(self, name: str) -> bool:
        return bool(self._node_def(name).op == "Const")

    def _is_available(self, name: str) -> bool:
        return name in self.created or self.is_constant(name)

    def _node_def(self, name: str) -> Any:
        if name not in self.nodes:
            raise ModelBuildError(f"it lacks the tensor {name}.")
        return self.nodes[name]

    def _create_node(self, node: Any) -> Node:
        convert = _OPERATIONS.get(node.op)
        if convert is None:
            raise ModelBuildError(
                f"{node.name} is a {node.op}. Known are {', '.join(sorted(_OPERATIONS))}."
            )
        attributes = node_attributes(node)
        if attributes.get("data_format") and attributes["data_format"].s != b"NHWC":
            raise ModelBuildError(f"{node.name} must have its channels last.")
        return convert(self, _inputs(node), attributes, _layer_name(node.name))

    def _output(self) -> str:
        """Returns the name of the L2 normalization's input, or else of the last node."""
        steps = [node for node in self.nodes.values() if _L2_NORM_NODE.match(node.name)]
        for node in steps:
            if node.op not in _L2_NORM_OPERATIONS:
                raise ModelBuildError(f"{node.name} is a {node.op}; a step to unit length needed.")
        outputs = {
            source for node in steps for source in _inputs(node) if not _L2_NORM_NODE.match(source)
        }
        if not steps:
            used = {source for node in self.nodes.values() for source in _inputs(node)}
            outputs = {node.name for node in self.nodes.values() if node.op != "Const"} - used
        if len(outputs) != 1:
            found = ", ".join(sorted(outputs)) or "none"
            raise ModelBuildError(f"one output needed. Found: {found}.")
        return outputs.pop()

    def _require_uses(self) -> None:
        for name in self.nodes:
            if not self.used[name] and not _L2_NORM_NODE.match(name):
                raise ModelBuildError(f"{name} leads to no output.")
            if self.used[name] > 1 and self.is_constant(name):
                raise ModelBuildError(f"{name} is used in several places.")


def _inputs(node: Any) -> list[str]:
    """Returns a node's inputs without control dependencies ("^name")."""
    names = [name.removesuffix(":0") for name in node.input if not name.startswith("^")]
    if other := [name for name in names if ":" in name]:
        raise ModelBuildError(f"{node.name} reads {other[0]}, a second output.")
    return names


def _layer_name(name: str) -> str:
    for pattern, ours in _LAYER_NAMES:
        name = re.sub(pattern, ours, name)
    return name


def _placeholder(_: _Reader, inputs: list[str], attributes: dict[str, Any], name: str) -> Node:
    shape = tuple(max(dim.size, DYNAMIC) for dim in attributes["shape"].shape.dim)
    if inputs or len(shape) != 4 or 0 in shape:
        raise ModelBuildError(f"{name} must be images of a known size. Received: shape {shape}.")
    return operations.graph_input("image", shape)


def _convolution(reader: _Reader, inputs: list[str], attributes: dict[str, Any], name: str) -> Node:
    x, kernel = inputs
    return operations.convolution(
        reader.use_node(x),
        reader.use_constant(kernel),
        name,
        stride=_pair(attributes, "strides", name),
        dilation=_pair(attributes, "dilations", name),
        pads=_pads(attributes, name),
    )


def _bias_add(reader: _Reader, inputs: list[str], _: dict[str, Any], name: str) -> Node:
    x, constant = inputs
    return operations.add(reader.use_node(x), reader.use_constant(constant), name)


def _add(reader: _Reader, inputs: list[str], _: dict[str, Any], name: str) -> Node:
    a, b = inputs
    return operations.add(reader.use_node(a), reader.use_node(b), name)


def _multiply(reader: _Reader, inputs: list[str], _: dict[str, Any], name: str) -> Node:
    constant, x = sorted(inputs, key=reader.is_constant, reverse=True)
    return operations.multiply(reader.use_node(x), reader.use_constant(constant), name)


def _activation(
    operation: Operation, reader: _Reader, inputs: list[str], _: dict[str, Any], name: str
) -> Node:
    return operations.activation(operation, reader.use_node(*inputs), name)


def _concatenate(reader: _Reader, inputs: list[str], _: dict[str, Any], name: str) -> Node:
    *members, axis = inputs
    nodes = [reader.use_node(member) for member in members]
    if int(reader.use_constant(axis)) not in (-1, len(nodes[0].shape) - 1):
        raise ModelBuildError(f"{name} must join the channels.")
    return moves.concatenate(nodes, name)


def _max_pool(reader: _Reader, inputs: list[str], attributes: dict[str, Any], name: str) -> Node:
    (x,) = inputs
    return operations.max_pool(
        reader.use_node(x),
        _pair(attributes, "ksize", name),
        name,
        stride=_pair(attributes, "strides", name),
        pads=_pads(attributes, name),
    )


def _average_pool(
    reader: _Reader, inputs: list[str], attributes: dict[str, Any], name: str
) -> Node:
    """Reads a global average pool, i.e. one whose window has the size of the image."""
    x = reader.use_node(inputs[0])
    window = _pair(attributes, "ksize", name)
    if x.shape[1:3] != window or _pads(attributes, name) is None:
        raise ModelBuildError(f"{name} must take the mean of all of {x.shape}, not of {window}.")
    return operations.mean(x, name)


def _reshape(reader: _Reader, inputs: list[str], _: dict[str, Any], name: str) -> Node:
    """Reads a reshape to vectors.  A vector that becomes an image of one pixel stays a vector."""
    source, target = inputs
    x, shape = reader.use_node(source), tuple(reader.use_constant(target).tolist())
    size = prod(x.shape[1:])
    dimensions = tuple(size if dimension == DYNAMIC else dimension for dimension in shape[1:])
    if len(x.shape) == 2 and dimensions == (1, 1, size):
        dimensions = (size,)
    if dimensions != (size,) or shape[0] not in (DYNAMIC, x.shape[0]):
        raise ModelBuildError(f"{name} must make vectors of {x.shape}. Received: {shape}.")
    return moves.flatten(x, name) if len(x.shape) == 4 else x


def _dense(reader: _Reader, inputs: list[str], attributes: dict[str, Any], name: str) -> Node:
    x, kernel = inputs
    if any(attributes[key].b for key in ("transpose_a", "transpose_b") if key in attributes):
        raise ModelBuildError(f"{name} must not be transposed.")
    return operations.dense(reader.use_node(x), reader.use_constant(kernel), name)


def _batch_norm(reader: _Reader, inputs: list[str], attributes: dict[str, Any], name: str) -> Node:
    x, gamma, beta, mean, variance = inputs
    if "is_training" not in attributes or attributes["is_training"].b:
        raise ModelBuildError(f"{name} must use the mean and variance of training.")
    return operations.batch_norm(
        reader.use_node(x),
        name,
        gamma=reader.use_constant(gamma),
        beta=reader.use_constant(beta),
        mean=reader.use_constant(mean),
        variance=reader.use_constant(variance),
        epsilon=attributes["epsilon"].f,
    )


def _pair(attributes: dict[str, Any], key: str, name: str) -> tuple[int, int]:
    """Returns (rows, columns) of an attribute (1, rows, columns, 1), or (1, 1) without it."""
    values = tuple(attributes[key].list.i) if key in attributes else (1, 1, 1, 1)
    if len(values) != 4 or values[::3] != (1, 1) or min(values) < 1:
        raise ModelBuildError(f"{name}: {key} of (1, rows, columns, 1) needed, got {values}.")
    return values[1], values[2]


def _pads(attributes: dict[str, Any], name: str) -> Pads | None:
    kind = attributes["padding"].s
    if kind not in (b"SAME", b"VALID"):
        raise ModelBuildError(f"{name}: padding SAME or VALID needed, received {kind!r}.")
    return NO_PADS if kind == b"VALID" else None


_OPERATIONS: dict[str, Callable[[_Reader, list[str], dict[str, Any], str], Node]] = {
    "Placeholder": _placeholder,
    "Conv2D": _convolution,
    "BiasAdd": _bias_add,
    **dict.fromkeys(("Add", "AddV2"), _add),
    "Mul": _multiply,
    "Relu": partial(_activation, Operation.RELU),
    "Sigmoid": partial(_activation, Operation.SIGMOID),
    "ConcatV2": _concatenate,
    "MaxPool": _max_pool,
    "AvgPool": _average_pool,
    "Reshape": _reshape,
    "MatMul": _dense,
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _batch_norm),
}
