"""ONNX's ModelProto, a protobuf message: nodes that read tensors by name, and constant tensors."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.protobuf import Messages, parsed
from facekit.graph.weights import MAX_BYTES

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
FLOAT32 = 1  # TensorProto's data types
DTYPES: dict[int, np.dtype[Any]] = {
    FLOAT32: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    11: np.dtype("<f8"),
}
_OWN_DOMAINS = ("", "ai.onnx")
_OPSETS = range(7, 26)
"""before 7 operators broadcast in other ways; what comes after 25 was not read"""
_MOST_NODES = 10_000
_WIRE_TYPES = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""of a ModelProto's fields; 7 is the graph"""


def is_onnx(path: Path) -> bool:
    """Whether the file begins as a ModelProto does: its version, then names and versions."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        head = file.read(4)
    return (
        len(head) == 4
        and head[0] == 0x08
        and head[1] < 0x80
        and (_WIRE_TYPES.get(head[2] >> 3) == head[2] & 7)
    )


def onnx_graph(path: Path) -> tuple[Any, int]:
    """The file's graph, with all its tensors in it, and the version of its operators.

    Raises ModelBuildError for a file that is no ONNX model, or that has operators of a version
    that is not known, or more nodes than a face network has.
    """
    model = parsed(path, _MODEL, title="model in ONNX")
    if not model.graph.node:
        raise ModelBuildError(f"{path} is not a model in ONNX: it has no nodes.")
    versions = [one.version for one in model.opset_import if one.domain in _OWN_DOMAINS]
    if len(versions) != 1 or versions[0] not in _OPSETS:
        found = ", ".join(map(str, versions)) or "none"
        raise ModelBuildError(
            f"Operator set {_OPSETS[0]} to {_OPSETS[-1]} needed. Received: {found}."
        )
    if len(model.graph.node) > _MOST_NODES:
        raise ModelBuildError(
            f"{_MOST_NODES} nodes are allowed. Received: {len(model.graph.node)}."
        )
    if model.graph.sparse_initializer:
        raise ModelBuildError("it has sparse tensors, which are not read.")
    for tensor in model.graph.initializer:
        if tensor.data_location:
            _fetch(tensor, path.parent)
    return model.graph, versions[0]


def files_with_tensors(path: Path) -> tuple[Path, ...]:
    """The files in its folder that hold tensors of the ONNX model, each once.

    Raises ModelBuildError for a file that is no ONNX model, or names one outside its folder.
    """
    initializers = parsed(path, _MODEL, title="model in ONNX").graph.initializer
    places = (_place(one, path.parent) for one in initializers if one.data_location)
    return tuple(dict.fromkeys(places))


def _place(tensor: Any, folder: Path) -> Path:
    said = {one.key: one.value for one in tensor.external_data}
    place: Path = (folder / said.get("location", "")).resolve()
    if not place.is_relative_to(folder.resolve()) or not place.is_file():
        raise ModelBuildError(
            f"{tensor.name} lies in {said.get('location', 'another file')}, which is not in the "
            "model's folder. Put it there, or save the model with its weights in the file."
        )
    return place


def _fetch(tensor: Any, folder: Path) -> None:
    """The numbers of a tensor that lie in another file, beside the model or in a folder there."""
    said = {one.key: one.value for one in tensor.external_data}
    place = _place(tensor, folder)
    begin, size = int(said.get("offset", 0)), place.stat().st_size
    length = int(said.get("length", size - begin))
    if not 0 <= begin <= begin + length <= min(size, begin + MAX_BYTES):
        raise ModelBuildError(
            f"{tensor.name}: bytes {begin} to {begin + length} needed of {place.name}, which has "
            f"{size}."
        )
    with place.open("rb") as file:
        file.seek(begin)
        tensor.raw_data = file.read(length)
    tensor.data_location = 0


def require_own_operator(node: Any, name: str) -> None:
    """Raises ModelBuildError for an operator that is not ONNX's own."""
    if node.domain not in _OWN_DOMAINS:
        raise ModelBuildError(f"{name} is a {node.op_type} of {node.domain}, not one of ONNX's.")


def tensor_values(tensor: Any, name: str) -> NDArray[Any]:
    """A constant's numbers.

    Raises ModelBuildError naming it where they lie in another file, are of another type, or are
    not as many as its shape says.
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
    shape, values = tuple(tensor.dims), _numbers(tensor, dtype)
    if min(shape, default=1) < 0 or len(values) != prod(shape):
        raise ModelBuildError(
            f"{name} must have as many numbers as its shape {shape} says. Received: {len(values)}."
        )
    return values.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _numbers(tensor: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    if tensor.HasField("raw_data"):
        content = tensor.raw_data
    elif dtype.kind == "f":
        content = b"".join(tensor.float_data if dtype.itemsize == 4 else tensor.double_data)
    else:
        listed = tensor.int64_data if dtype.itemsize == 8 else tensor.int32_data
        return np.array(listed, np.int64).astype(dtype)
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
