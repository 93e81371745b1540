"""TensorFlow's checkpoints, read without TensorFlow: an index, and data files it points into.

The index is a table of LevelDB's (doc/table_format.md there): sorted keys in blocks, each key but
for what it shares with the one before.  Its values are messages that say where in which data file
the numbers of a variable lie.  TensorFlow writes such tables uncompressed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.graph.read.crc32c import crc32c
from facekit.graph.read.protobuf import Messages, parsed_bytes

TABLE_MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""the last bytes of an index"""
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5  # kind of compression, checksum
_UINT32_BYTES = 4
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 5: "<i2", 6: "<i1", 9: "<i8", 10: "?", 19: "<f2"}
"""DataType's DT_FLOAT, DT_DOUBLE, DT_INT32, ..."""
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
    """Where the numbers of one variable lie."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int
    """CRC-32C of the numbers, masked as LevelDB does it"""

    def read(self) -> NDArray[Any]:
        """Raises ValueError where the file has fewer bytes or others, OSError."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) != self.size:
            raise ValueError(f"{self.path.name} ends within a variable")
        if _masked(crc32c(content)) != self.checksum:
            raise ValueError(f"{self.path.name} has other numbers than were written")
        return np.frombuffer(content, self.dtype).reshape(self.shape)


def read_index(index: Path) -> dict[str, Variable | None]:
    """Every variable by name; None for one of a kind that holds no numbers.

    Raises ValueError, IndexError or OSError for what is damaged, or no index.
    """
    entries = dict(_table(index.read_bytes()))
    header = parsed_bytes(entries.pop(b"", b""), _HEADER)
    if header.num_shards < 1 or header.endianness:
        raise ValueError(f"{header.num_shards} data files in byte order {header.endianness}")
    prefix = index.name.removesuffix(index.suffix)
    variables: dict[str, Variable | None] = {}
    for key, value in entries.items():
        name, entry = key.decode(), parsed_bytes(value, _BUNDLE)
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


def _masked(checksum: int) -> int:
    """LevelDB's, so that a checksum of data with checksums in it is none of them."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of all blocks, which the index block lists."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) != _FOOTER_BYTES or not footer.endswith(TABLE_MAGIC):
        raise ValueError("it has not the end of a table")
    place = _skip_handle(footer)
    for _, handle in _entries(_block(content, footer[place:])):
        yield from _entries(_block(content, handle))


def _skip_handle(footer: bytes) -> int:
    """Where the second handle begins; the first is of a block of notes."""
    place = 0
    for _ in range(2):
        _, place = _varint(footer, place)
    return place


def _block(content: bytes, handle: bytes) -> bytes:
    """Its entries, without the list of restarts behind them."""
    offset, place = _varint(handle, 0)
    size, _ = _varint(handle, place)
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
    place, key = 0, b""
    while place < len(block):
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + own + length > len(block):
            raise ValueError("an entry reaches beyond its block")
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first; and where the next begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number has no end")
