"""The tables of a LiteRT file: tensors, and operators that read and write them by number.

Read through the classes of LiteRT's own schema, which follow every offset in a file: one that
leads out of it is an error of theirs, and lengths are checked here before anything goes by them.
"""

from __future__ import annotations

import struct
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

LEFT_OUT = -1
"""an operator's optional input that it has not"""
MISFITS = (
    *(struct.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    MemoryError,
)
"""what comes of bytes that nobody expects"""

IDENTIFIER = b"TFL3"
_MOST_PARTS = 20_000  # tensors, or operators
_MOST_NUMBERS = 1 << 16  # of scales, one a channel
_MOST_SIDES = 8
_MOST_READ = 1 << 10  # tensors by one operator
_LONGEST_NAME = 1 << 14  # TensorFlow joins those of all operators that it made one
_DTYPES = MappingProxyType(
    {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4", "INT64": "<i8", "BOOL": "?"}
)


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class FileTensor:
    """A tensor as the file has it."""

    name: str
    shape: Shape
    """a side of -1 is open"""
    kind: str
    """of the schema's TensorType: "FLOAT32"; "SPARSE_FLOAT32" where zeros are left out"""
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    content: NDArray[np.uint8] | None
    """a constant's bytes; of one that lies behind the tables, as ai-edge-quantizer writes
    them, too"""

    def values(self) -> NDArray[Any]:
        """A constant's numbers.  Raises ModelBuildError naming it where they are none of floats or
        plain integers, or not as many as its shape says."""
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
    """One step, by the numbers of the tensors it reads and writes."""

    kind: str
    """of the schema's BuiltinOperator: "CONV_2D"; of a custom operator its own name"""
    inputs: tuple[int, ...]
    """LEFT_OUT where there is none"""
    outputs: tuple[int, ...]
    options_kind: str
    """of the schema's BuiltinOptions, "Conv2DOptions"; "" for none"""
    table: Any
    """of that kind, untyped"""

    def options(self, kind: str) -> Any:
        """As the schema's class of this name; its defaults where the operator has none.

        Raises ValueError for options of another kind.
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
    """in the order in which they run"""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int
    """how many there are"""


def read_tables(content: bytes) -> LiteRtTables:
    """Raises ModelBuildError for bytes that are no LiteRT file, or a damaged one."""
    try:
        if content[4:8] != IDENTIFIER:
            raise ValueError("the bytes TFL3 are not in their place")
        model = schema.Model.GetRootAs(content)
        graph = model.Subgraphs(0)
        tensors = tuple(
            _tensor(model, graph.Tensors(index), content)
            for index in _counted(graph.TensorsLength(), _MOST_PARTS)
        )
        operators = tuple(
            _operator(model, graph.Operators(index), len(tensors))
            for index in _counted(graph.OperatorsLength(), _MOST_PARTS)
        )
        inputs, outputs = (_indices(graph, which, len(tensors)) for which in ("Inputs", "Outputs"))
        return LiteRtTables(tensors, operators, inputs, outputs, model.SubgraphsLength())
    except MISFITS as error:
        raise ModelBuildError(f"it is not a LiteRT model, or is damaged: {error}.") from error


def _tensor(model: Any, raw: Any, content: bytes) -> FileTensor:
    signature = _numbers(raw, "ShapeSignature", _MOST_SIDES)
    quantization = raw.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization is not None:
        scales = _numbers(quantization, "Scale", _MOST_NUMBERS)
        zero_points = _numbers(quantization, "ZeroPoint", _MOST_NUMBERS)
    kind = _names(schema.TensorType).get(raw.Type(), f"UNKNOWN_{raw.Type()}")
    return FileTensor(
        name=_text(raw.Name()),
        shape=signature or _numbers(raw, "Shape", _MOST_SIDES),
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
    # Codes above 126 stand in the newer, wider field; older files have the narrow one alone.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = _names(schema.BuiltinOperator).get(number, f"UNKNOWN_{number}")
    if kind == "CUSTOM":
        kind = _text(code.CustomCode())
    outputs = _indices(raw, "Outputs", tensors)
    if not outputs:
        raise ValueError("an operator that gives nothing")
    table = raw.BuiltinOptions()
    options_kind = raw.BuiltinOptionsType() if table is not None else 0
    return FileOperator(
        kind=kind,
        inputs=_indices(raw, "Inputs", tensors, least=LEFT_OUT),
        outputs=outputs,
        options_kind=_names(schema.BuiltinOptions)[options_kind] if options_kind else "",
        table=table,
    )


def _indices(table: Any, which: str, tensors: int, *, least: int = 0) -> tuple[int, ...]:
    indices = _numbers(table, which, _MOST_READ)
    if not all(least <= index < tensors for index in indices):
        raise ValueError(f"{which.lower()} {indices[:8]} of {tensors} tensors")
    return indices


def _numbers(table: Any, which: str, most: int) -> tuple[Any, ...]:
    length = getattr(table, f"{which}Length")()
    _counted(length, most)
    return tuple(getattr(table, f"{which}AsNumpy")().tolist()) if length else ()


def _counted(length: int, most: int) -> Iterator[int]:
    if length > most:
        raise ValueError(f"{most} of a kind are allowed, not {length}")
    return iter(range(length))


def _text(raw: bytes | None) -> str:
    if raw is None or len(raw) > _LONGEST_NAME:
        raise ValueError("a name that is missing, or too long")
    return raw.decode(errors="replace")


def _empty_table() -> bytes:
    builder = flatbuffers.Builder(16)
    builder.StartObject(0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


@cache
def _names(kinds: type) -> dict[int, str]:
    return {value: name for name, value in vars(kinds).items() if isinstance(value, int)}


_EMPTY = _empty_table()
