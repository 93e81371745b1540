"""Reads ONNX's ModelProto: a protobuf message with nodes and constant tensors.

Nodes refer to tensors by name.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.protobuf import Messages, parse
from facekit.graph.weights import MAX_BYTES, WEIGHTS
from facekit.system.inputs import InputKind, open_input, reading

ONNX = InputKind("a model in ONNX", ModelBuildError, max_bytes=MAX_BYTES)
_MODEL = Messages(
    "ModelProto",
    {
        "Dimension": {"dim_value": (1, "int64", False)},
        "Entry": {"key": (1, "string", False), "value": (2, "string", False)},
        "Shape": {"dim": (1, "Dimension", True)},
        "TensorType": {"elem_type": (1, "int32", False), "shape": (2, "Shape", False)},
        "Type": {"tensor_type": (1, "TensorType", False)},
        "ValueInfo": {"name": (1, "string", False), "type": (2, "Type", False)},
        "Tensor": {
            "dims": (1, "int64", True),
            "data_type": (2, "int32", False),
            "float_data": (4, "bytes", True),  # packed
            "int32_data": (5, "int32", True),
            "int64_data": (7, "int64", True),
            "name": (8, "string", False),
            "raw_data": (9, "bytes", False),
            "double_data": (10, "bytes", True),  # packed
            "external_data": (13, "Entry", True),
            "data_location": (14, "int32", False),
        },
        "Attribute": {
            "name": (1, "string", False),
            "f": (2, "float", False),
            "i": (3, "int64", False),
            "s": (4, "bytes", False),
            "t": (5, "Tensor", False),
            "floats": (7, "float", True),
            "ints": (8, "int64", True),
        },
        "Node": {
            "input": (1, "string", True),
            "output": (2, "string", True),
            "name": (3, "string", False),
            "op_type": (4, "string", False),
            "attribute": (5, "Attribute", True),
            "domain": (7, "string", False),
        },
        "Graph": {
            "node": (1, "Node", True),
            "initializer": (5, "Tensor", True),
            "input": (11, "ValueInfo", True),
            "output": (12, "ValueInfo", True),
            "sparse_initializer": (15, "bytes", True),
        },
        "OperatorSet": {"domain": (1, "string", False), "version": (2, "int64", False)},
        "ModelProto": {"graph": (7, "Graph", False), "opset_import": (8, "OperatorSet", True)},
    },
)
FLOAT32 = 1  # the first of TensorProto's data types
DTYPES: dict[int, np.dtype[Any]] = {
    FLOAT32: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    11: np.dtype("<f8"),
}
_ONNX_DOMAINS = ("", "ai.onnx")
_OPSETS = range(7, 26)
"""The supported operator sets.

Before set 7, operators broadcast by other rules.  Sets after 25 were not checked.
"""
_MAX_NODES = 10_000
_WIRE_TYPES = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""The protobuf wire type of each field of a ModelProto.  Field 7 is the graph."""


def is_onnx(path: Path) -> bool:
    """Returns whether the file begins like a ModelProto: a version, then a field of a known type.

    Raises ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        head = file.read(4)
    return (
        len(head) == 4
        and head[0] == 0x08
        and head[1] < 0x80
        and (_WIRE_TYPES.get(head[2] >> 3) == head[2] & 7)
    )


def parse_onnx(path: Path) -> Any:
    """Returns the file's ModelProto.  Raises ModelBuildError if it is not an ONNX model."""
    return parse(path, _MODEL, ONNX)


def read_onnx_model(model: Any, folder: Path) -> tuple[Any, int]:
    """Returns the GraphProto, with external tensors loaded, and the operator set version.

    `folder` is that of the file of `model`, in which the external tensors are.
    Raises ModelBuildError if there are no nodes or more than a face network has, if the operator
    set is not supported, or if a file with tensors is missing.
    """
    if not model.graph.node:
        raise ModelBuildError("it is not a model in ONNX, because it has no nodes.")
    versions = [
        operator_set.version
        for operator_set in model.opset_import
        if operator_set.domain in _ONNX_DOMAINS
    ]
    if len(versions) != 1 or versions[0] not in _OPSETS:
        found = ", ".join(map(str, versions)) or "none"
        raise ModelBuildError(
            f"Operator set {_OPSETS[0]} to {_OPSETS[-1]} needed. Received: {found}."
        )
    if len(model.graph.node) > _MAX_NODES:
        raise ModelBuildError(f"{_MAX_NODES} nodes are allowed. Received: {len(model.graph.node)}.")
    if model.graph.sparse_initializer:
        raise ModelBuildError("it has sparse tensors, which are not read.")
    outside = [tensor for tensor in model.graph.initializer if tensor.data_location]
    loaded_bytes = 0
    for tensor in outside:
        _load_external(tensor, folder, MAX_BYTES - loaded_bytes)
        loaded_bytes += len(tensor.raw_data)
    return model.graph, versions[0]


def external_tensor_files(path: Path) -> tuple[Path, ...]:
    """Returns the files in the model's folder that hold tensors of the ONNX model, each once.

    Raises ModelBuildError if the file is not an ONNX model, or refers to a file outside its folder.
    """
    initializers = parse_onnx(path).graph.initializer
    with reading(ONNX, path):
        outside = (tensor for tensor in initializers if tensor.data_location)
        return tuple(dict.fromkeys(_external_path(tensor, path.parent) for tensor in outside))


def _external_path(tensor: Any, folder: Path) -> Path:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path: Path = (folder / entries.get("location", "")).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ModelBuildError(
            f"{tensor.name} lies in {entries.get('location', 'another file')}, which is not in the "
            "model's folder. Put it there, or save the model with its weights in the file."
        )
    return path


def _load_external(tensor: Any, folder: Path, max_bytes: int) -> None:
    """Loads the elements of a tensor that are stored in another file in the model's folder.

    Raises ModelBuildError if they have more than `max_bytes`, or lie beyond the file's end.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _external_path(tensor, folder)
    begin, size = int(entries.get("offset", 0)), path.stat().st_size
    length = int(entries.get("length", size - begin))
    if not 0 <= begin <= begin + length <= min(size, begin + max_bytes):
        raise ModelBuildError(
            f"{tensor.name}: bytes {begin} to {begin + length} needed of {path.name}, which has "
            f"{size}; {MAX_BYTES} are allowed in all."
        )
    with open_input(path, ONNX) as file:
        file.seek(begin)
        tensor.raw_data = file.read(length)
    tensor.data_location = 0


def require_onnx_operator(node: Any, name: str) -> None:
    """Raises ModelBuildError if the operator is not one of ONNX's standard operators."""
    if node.domain not in _ONNX_DOMAINS:
        raise ModelBuildError(f"{name} is a {node.op_type} of {node.domain}, not one of ONNX's.")


def tensor_values(tensor: Any, name: str) -> NDArray[Any]:
    """Returns the elements of a constant.

    Raises ModelBuildError, naming the tensor, if it is stored in another file or has an unsupported
    type, or if the number of elements does not match its shape.
    """
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None:
        raise ModelBuildError(
            f"{name} is of ONNX's data type {tensor.data_type}; float32, integers of 8, 32 or 64 "
            "bits, or booleans needed."
        )
    if tensor.data_location:
        raise ModelBuildError(
            f"{name} lies in another file. Save the model with its weights in the file."
        )
    shape, values = tuple(tensor.dims), _elements(tensor, dtype)
    if min(shape, default=1) < 0 or len(values) != prod(shape):
        raise ModelBuildError(
            f"{name} must have as many elements as its shape {shape} says. Received: {len(values)}."
        )
    return values.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _elements(tensor: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    if tensor.HasField("raw_data"):
        content = tensor.raw_data
    elif dtype.kind == "f":
        content = b"".join(tensor.float_data if dtype.itemsize == 4 else tensor.double_data)
    else:
        values = tensor.int64_data if dtype.itemsize == 8 else tensor.int32_data
        return np.array(values, np.int64).astype(dtype)
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
