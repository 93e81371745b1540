"""Reads TensorFlow's checkpoints without TensorFlow: an index file, and data files.

The index is a LevelDB table (LevelDB's doc/table_format.md): blocks of sorted keys, each without
the prefix that the key shares with the key before.  The values are messages that state the data
file and the position of a variable.  TensorFlow writes such tables uncompressed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.crc32c import crc32c
from facekit.graph.read.protobuf import Messages, parse_bytes
from facekit.graph.weights import MAX_BYTES
from facekit.system.inputs import InputKind, open_input, read_input

CHECKPOINT = InputKind("a checkpoint of TensorFlow", ModelBuildError, max_bytes=MAX_BYTES)
_INDEX = InputKind("the index of a checkpoint", ModelBuildError, max_bytes=1 << 24)
_MAX_ENTRIES = 20_000  # of an index; facenet's have 1,500
_MAX_KEY_BYTES = 1 << 12
TABLE_MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""The last bytes of an index file."""
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5  # kind of compression, checksum
_UINT32_BYTES = 4
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 5: "<i2", 6: "<i1", 9: "<i8", 10: "?", 19: "<f2"}
"""NumPy's dtype for each of TensorFlow's data types (DT_FLOAT, DT_DOUBLE, DT_INT32, ...)."""
_BUNDLE = Messages(
    "BundleEntry",
    {
        "Dim": {"size": (1, "int64", False)},
        "Shape": {"dim": (2, "Dim", True)},
        "BundleEntry": {
            "dtype": (1, "int32", False),
            "shape": (2, "Shape", False),
            "shard_id": (3, "int32", False),
            "offset": (4, "int64", False),
            "size": (5, "int64", False),
            "crc32c": (6, "fixed32", False),
            "slices": (7, "bytes", True),
        },
    },
)
_HEADER = Messages(
    "BundleHeader",
    {"BundleHeader": {"num_shards": (1, "int32", False), "endianness": (2, "int32", False)}},
)


@dataclass(frozen=True, slots=True)
class Variable:
    """The position of one variable's elements in a data file."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int
    """CRC-32C of the bytes, masked by LevelDB's formula."""

    def read(self) -> NDArray[Any]:
        """Returns the elements.

        Raises ValueError if the file is too short or the checksum differs, ModelBuildError if it
        cannot be read.
        """
        with open_input(self.path, CHECKPOINT) as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) != self.size:
            raise ValueError(f"{self.path.name} ends within a variable")
        if _mask(crc32c(content)) != self.checksum:
            raise ValueError(f"{self.path.name} has another checksum than its index states")
        return np.frombuffer(content, self.dtype).reshape(self.shape)


def read_index(index: Path) -> dict[str, Variable | None]:
    """Returns every variable by name, with None for a variable of a type without numbers.

    Raises ModelBuildError if the file cannot be read, and the exceptions of Python, such as
    ValueError, if it is damaged, is not an index, or has more entries than a face network.
    """
    table = _table_entries(read_input(index, _INDEX))
    entries = dict(islice(table, _MAX_ENTRIES))
    if next(table, None) is not None:
        raise ValueError(f"it has more than {_MAX_ENTRIES} entries")
    header = parse_bytes(entries.pop(b"", b""), _HEADER)
    if header.num_shards < 1 or header.endianness:
        raise ValueError(f"{header.num_shards} data files in byte order {header.endianness}")
    prefix = index.name.removesuffix(index.suffix)
    variables: dict[str, Variable | None] = {}
    for key, value in entries.items():
        name, entry = key.decode(), parse_bytes(value, _BUNDLE)
        shape = tuple(dim.size for dim in entry.shape.dim)
        dtype = _DTYPES.get(entry.dtype)
        if dtype is None or entry.slices:
            variables[name] = None
            continue
        if min((*shape, entry.offset)) < 0 or entry.size != prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{name} of shape {shape} has {entry.size} bytes")
        shard = f"{prefix}.data-{entry.shard_id:05d}-of-{header.num_shards:05d}"
        path = index.with_name(shard)
        variables[name] = Variable(path, dtype, shape, entry.offset, entry.size, entry.crc32c)
    return variables


def _mask(checksum: int) -> int:
    """Masks a checksum by LevelDB's formula, because the data may contain checksums themselves."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _table_entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of all blocks, which the index block lists."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) != _FOOTER_BYTES or not footer.endswith(TABLE_MAGIC):
        raise ValueError("it has not the end of a table")
    position = _skip_handle(footer)
    for _, handle in _entries(_block(content, footer[position:])):
        yield from _entries(_block(content, handle))


def _skip_handle(footer: bytes) -> int:
    """Returns the position after the first handle, which consists of two numbers and points to the
    metaindex block."""
    position = 0
    for _ in range(2):
        _, position = _varint(footer, position)
    return position


def _block(content: bytes, handle: bytes) -> bytes:
    """Returns the entries of a block, without the list of restart positions at its end."""
    offset, position = _varint(handle, 0)
    size, _ = _varint(handle, position)
    block = content[offset : offset + size]
    if len(block) != size or len(content) < offset + size + _BLOCK_TRAILER_BYTES:
        raise ValueError("a block lies beyond its end")
    if content[offset + size]:
        raise ValueError("it is compressed, which TensorFlow's checkpoints are not")
    restarts = int.from_bytes(block[-_UINT32_BYTES:], "little")
    end = size - _UINT32_BYTES * (restarts + 1)
    if end < 0:
        raise ValueError("a block has more restarts than bytes")
    return block[:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, key = 0, b""
    while position < len(block):
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + unshared + length > len(block):
            raise ValueError("an entry reaches beyond its block")
        if shared + unshared > _MAX_KEY_BYTES:
            raise ValueError("the name of a variable is too long")
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Returns an integer and the position after it.

    The integer is stored in groups of seven bits, the lowest group first.
    """
    value = 0
    for shift in range(0, 64, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number has no end")
