"""Reads the tables of a LiteRT file: tensors, and operators that refer to tensors by index.

The classes of LiteRT's own schema follow the offsets in the file, and raise an error for an offset
outside the file.  This module checks all lengths before they are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import prod
from types import MappingProxyType
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Shape
from facekit.graph.weights import MAX_BYTES
from facekit.system.inputs import InputKind

OMITTED_INPUT = -1
"""The index of an optional input that an operator does not have."""

IDENTIFIER = b"TFL3"
LITERT = InputKind("a LiteRT model", ModelBuildError, max_bytes=MAX_BYTES)
_MAX_PARTS = 20_000  # tensors, or operators, of a file
_MAX_SCALES = 1 << 16  # scales of a tensor, one per channel
_MAX_RANK = 8
_MAX_OPERANDS = 1 << 10  # inputs, or outputs, of one operator
_MAX_NAME_BYTES = 1 << 14  # bytes; TensorFlow joins the names of merged operators
_DTYPES = MappingProxyType(
    {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4", "INT64": "<i8", "BOOL": "?"}
)


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class FileTensor:
    """A tensor of the file."""

    name: str
    shape: Shape
    """The size of each dimension; -1 means a dynamic dimension."""
    kind: str
    """The schema's TensorType, e.g. "FLOAT32", or "SPARSE_FLOAT32" for a sparse tensor."""
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    content: NDArray[np.uint8] | None
    """The bytes of a constant, including one stored behind the tables as ai-edge-quantizer writes
    it.  None for a tensor that is computed."""

    def values(self) -> NDArray[Any]:
        """Returns the elements of a constant.

        Raises ModelBuildError, naming the tensor, if it is quantized or of another type than
        floats, plain integers and booleans, or if the number of bytes does not match its shape.
        """
        dtype = _DTYPES.get(self.kind)
        if dtype is None or self.scales:
            raise ModelBuildError(
                f"{self.name} is of the type {self.kind}"
                f"{' with scales' if self.scales else ''}; a file in float32 needed."
            )
        needed = prod(self.shape) * np.dtype(dtype).itemsize
        if self.content is None or min(self.shape, default=0) < 0 or len(self.content) != needed:
            found = 0 if self.content is None else len(self.content)
            raise ModelBuildError(
                f"{self.name}: a constant of shape {self.shape} has {needed} bytes. Received: "
                f"{found}."
            )
        return self.content.view(dtype).reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class FileOperator:
    """One operator.  It refers to tensors by their index in the file."""

    kind: str
    """The schema's BuiltinOperator, e.g. "CONV_2D", or the name of a custom operator."""
    inputs: tuple[int, ...]
    """The tensor indices; OMITTED_INPUT stands for an optional input that is absent."""
    outputs: tuple[int, ...]
    options_kind: str
    """The schema's BuiltinOptions, e.g. "Conv2DOptions", or "" for none."""
    table: Any
    """The table of the options, untyped."""

    def options(self, kind: str) -> Any:
        """Returns the options as an object of the schema's class `kind`.

        If the operator has no options, the object has the defaults of the class.  Raises ValueError
        if the operator has options of another kind.
        """
        if not self.options_kind:
            return getattr(schema, kind).GetRootAs(_EMPTY)
        if self.options_kind != kind:
            raise ValueError(f"{kind} needed, received {self.options_kind}")
        found = getattr(schema, kind)()
        found.Init(self.table.Bytes, self.table.Pos)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LiteRtTables:
    """The first subgraph of a file, which is the network."""

    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    """The operators in execution order."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int
    """The number of subgraphs in the file."""


def read_tables(content: bytes) -> LiteRtTables:
    """Parses a LiteRT file.

    Raises ValueError if the content is not a LiteRT file.  If it is damaged, any exception may be
    raised, so that it must be called within `reading`.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError("the bytes TFL3 are not in their place")
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    tensors = tuple(
        _tensor(model, graph.Tensors(index), content)
        for index in _checked_range(graph.TensorsLength(), _MAX_PARTS)
    )
    operators = tuple(
        _operator(model, graph.Operators(index), len(tensors))
        for index in _checked_range(graph.OperatorsLength(), _MAX_PARTS)
    )
    inputs, outputs = (_indices(graph, which, len(tensors)) for which in ("Inputs", "Outputs"))
    return LiteRtTables(tensors, operators, inputs, outputs, model.SubgraphsLength())


def _tensor(model: Any, raw: Any, content: bytes) -> FileTensor:
    signature = _vector(raw, "ShapeSignature", _MAX_RANK)
    quantization = raw.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization is not None:
        scales = _vector(quantization, "Scale", _MAX_SCALES)
        zero_points = _vector(quantization, "ZeroPoint", _MAX_SCALES)
    kind = _enum_names(schema.TensorType).get(raw.Type(), f"UNKNOWN_{raw.Type()}")
    return FileTensor(
        name=_decode(raw.Name()),
        shape=signature or _vector(raw, "Shape", _MAX_RANK),
        kind=kind if raw.Sparsity() is None else f"SPARSE_{kind}",
        scales=scales,
        zero_points=zero_points,
        content=_data(model, raw.Buffer(), content),
    )


def _data(model: Any, index: int, content: bytes) -> NDArray[np.uint8] | None:
    if index >= model.BuffersLength():
        raise ValueError(f"there is no buffer {index}")
    buffer = model.Buffers(index)
    if buffer.DataLength():
        return np.asarray(buffer.DataAsNumpy())
    if buffer.Size():
        return np.frombuffer(content, np.uint8, buffer.Size(), buffer.Offset())
    return None


def _operator(model: Any, raw: Any, tensors: int) -> FileOperator:
    if raw.OpcodeIndex() >= model.OperatorCodesLength():
        raise ValueError(f"there is no operator code {raw.OpcodeIndex()}")
    code = model.OperatorCodes(raw.OpcodeIndex())
    # Operator codes above 126 are in the newer, wider field.  Older files have only the narrow
    # field.
    code_value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = _enum_names(schema.BuiltinOperator).get(code_value, f"UNKNOWN_{code_value}")
    if kind == "CUSTOM":
        kind = _decode(code.CustomCode())
    outputs = _indices(raw, "Outputs", tensors)
    if not outputs:
        raise ValueError("an operator without an output")
    table = raw.BuiltinOptions()
    options_kind = raw.BuiltinOptionsType() if table is not None else 0
    return FileOperator(
        kind=kind,
        inputs=_indices(raw, "Inputs", tensors, minimum=OMITTED_INPUT),
        outputs=outputs,
        options_kind=_enum_names(schema.BuiltinOptions)[options_kind] if options_kind else "",
        table=table,
    )


def _indices(table: Any, field: str, tensors: int, *, minimum: int = 0) -> tuple[int, ...]:
    indices = _vector(table, field, _MAX_OPERANDS)
    if not all(minimum <= index < tensors for index in indices):
        raise ValueError(f"{field.lower()} {indices[:8]} of {tensors} tensors")
    return indices


def _vector(table: Any, field: str, maximum: int) -> tuple[Any, ...]:
    length = getattr(table, f"{field}Length")()
    _checked_range(length, maximum)
    return tuple(getattr(table, f"{field}AsNumpy")().tolist()) if length else ()


def _checked_range(length: int, maximum: int) -> Iterator[int]:
    if length > maximum:
        raise ValueError(f"{maximum} of a kind are allowed, not {length}")
    return iter(range(length))


def _decode(raw: bytes | None) -> str:
    if raw is None or len(raw) > _MAX_NAME_BYTES:
        raise ValueError("a name that is missing, or too long")
    return raw.decode(errors="replace")


def _empty_table() -> bytes:
    builder = flatbuffers.Builder(16)
    builder.StartObject(0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


@cache
def _enum_names(kinds: type) -> dict[int, str]:
    return {value: name for name, value in vars(kinds).items() if isinstance(value, int)}


_EMPTY = _empty_table()
