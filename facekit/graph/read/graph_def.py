"""Reads TensorFlow's GraphDef, a protobuf message: nodes with a name, an operation and inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.protobuf import Messages, message_class, parse
from facekit.graph.weights import MAX_BYTES, reading_graph
from facekit.system.inputs import InputKind
from facekit.types import Float32Array

GRAPH = InputKind("a frozen TensorFlow graph", ModelBuildError, max_bytes=MAX_BYTES)
_GRAPH_DEF = Messages(
    "GraphDef",
    {
        "Dim": {"size": (1, "int64", False)},
        "Shape": {"dim": (2, "Dim", True)},
        "Tensor": {
            "dtype": (1, "int32", False),
            "tensor_shape": (2, "Shape", False),
            "tensor_content": (4, "bytes", False),
            "float_val": (5, "float", True),
            "int_val": (7, "int32", True),
        },
        "List": {"s": (2, "bytes", True), "i": (3, "int64", True)},
        "Value": {
            "list": (1, "List", False),
            "s": (2, "bytes", False),
            "f": (4, "float", False),
            "b": (5, "bool", False),
            "shape": (7, "Shape", False),
            "tensor": (8, "Tensor", False),
        },
        "Attribute": {"key": (1, "string", False), "value": (2, "Value", False)},
        "Node": {
            "name": (1, "string", False),
            "op": (2, "string", False),
            "input": (3, "string", True),
            "attr": (5, "Attribute", True),
        },
        "GraphDef": {"node": (1, "Node", True)},
    },
)
_DTYPES = {1: np.dtype("<f4"), 3: np.dtype("<i4")}  # DataType's DT_FLOAT and DT_INT32
_MAX_REPEATED = 1 << 20  # elements of a constant that the file stores as one repeated number


def read_constants(path: Path) -> dict[str, Float32Array]:
    """Returns every float32 constant by node name.  Integer constants are only shapes and axes.

    Raises ModelBuildError if the file is not a graph.
    """
    nodes = graph_nodes(path)
    with reading_graph(GRAPH, path):
        found = {
            node.name: tensor_values(node_attributes(node)["value"].tensor, node.name)
            for node in nodes
            if node.op == "Const" and "value" in node_attributes(node)
        }
    return {
        name: values
        for name, values in found.items()
        if values is not None and values.dtype == np.float32
    }


def graph_nodes(path: Path) -> Any:
    """Returns the file's nodes in its order.  Raises ModelBuildError if the file is not a graph."""
    nodes = parse(path, _GRAPH_DEF, GRAPH).node
    if not nodes:
        raise ModelBuildError(f"{path} is not a frozen TensorFlow graph: it has no nodes.")
    return nodes


def nodes_of_json(nodes: Sequence[Mapping[str, Any]], tensors: Mapping[str, NDArray[Any]]) -> Any:
    """Returns nodes from JSON, as protobuf writes a GraphDef; `tensors` has the constants' values.

    Raises ValueError if a member has another type.
    """
    from google.protobuf import json_format  # type: ignore[import-untyped]  # it has no types

    written = [
        {
            **node,
            "attr": []
            if node["op"] == "Const"
            else [{"key": key, "value": value} for key, value in node["attr"].items()],
        }
        for node in nodes
    ]
    graph = message_class(_GRAPH_DEF)()
    try:
        json_format.ParseDict({"node": written}, graph, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error
    for node in graph.node:
        if node.op == "Const":
            values = tensors[node.name]
            tensor = node.attr.add(key="value").value.tensor
            tensor.dtype = next(key for key, dtype in _DTYPES.items() if dtype == values.dtype)
            tensor.tensor_content = values.tobytes()
            for size in values.shape:
                tensor.tensor_shape.dim.add(size=size)
    return graph.node


def node_attributes(node: Any) -> dict[str, Any]:
    """Returns the attributes of a node by name."""
    return {attribute.key: attribute.value for attribute in node.attr}


def tensor_values(tensor: Any, name: str) -> NDArray[Any] | None:
    """Returns the elements of a float32 or int32 constant, or None for another type.

    Raises ModelBuildError, naming the constant, if the number of elements does not match its shape.
    """
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        return None
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = prod(shape)
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, dtype)
    else:
        values = np.array(tensor.float_val or tensor.int_val, dtype)
        if len(values) == 1 and 1 < count <= _MAX_REPEATED and min(shape) > 0:
            values = np.repeat(values, count)
    if min(shape, default=1) < 0 or len(values) != count:
        raise ModelBuildError(
            f"{name} must have as many elements as its shape {shape} says. Received: {len(values)}."
        )
    return values.reshape(shape).astype(dtype.newbyteorder("="), copy=False)
