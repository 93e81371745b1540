"""Encodes template vectors as little-endian float32 or float16, without pickle.

Every stored vector ends in a checksum; see gallery/seals.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from facekit.enums import VectorType
from facekit.gallery.seals import CHECKSUM_BYTES, checksum
from facekit.types import Float32Array

_STORED: dict[VectorType, np.dtype[Any]] = {
    VectorType.FLOAT32: np.dtype("<f4"),
    VectorType.FLOAT16: np.dtype("<f2"),
}


class VectorCodec(Protocol):
    """Converts between vectors and their stored bytes.

    `owner` identifies what a stored vector belongs to; a codec refuses to decode it for another
    owner.
    """

    def encode(self, vector: Float32Array, owner: bytes) -> bytes: ...

    def decode(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        """Decodes N blobs to (N, dimension) float32.  Raises ValueError for a damaged blob."""
        ...

    def seal(self, content: bytes) -> bytes:
        """Returns the bytes that are stored beside `content` and change when it does."""
        ...


@dataclass(frozen=True, slots=True)
class PlainCodec:
    """Stores the values of the vectors without encryption, and a checksum against accidents."""

    vector_type: VectorType

    def encode(self, vector: Float32Array, owner: bytes) -> bytes:
        packed = pack(vector, self.vector_type)
        return packed + checksum(packed, owner)

    def decode(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        packed = []
        for blob, owner in zip(blobs, owners, strict=True):
            packed.append(blob[:-CHECKSUM_BYTES])
            if blob[-CHECKSUM_BYTES:] != checksum(packed[-1], owner):
                raise ValueError("a vector has another checksum: it was changed or moved")
        return unpack(packed, self.vector_type, dimension)

    def seal(self, content: bytes) -> bytes:
        return checksum(content)


def pack(vector: Float32Array, vector_type: VectorType) -> bytes:
    """Returns the bytes of a vector (D,)."""
    return vector.astype(_STORED[vector_type]).tobytes()


def unpack(packed: Sequence[bytes], vector_type: VectorType, dimension: int) -> Float32Array:
    """Returns (N, dimension) float32.  Raises ValueError for bytes of another length."""
    stored = _STORED[vector_type]
    wanted = dimension * stored.itemsize
    if wrong := {len(one) for one in packed} - {wanted}:
        raise ValueError(f"a vector of {wanted} bytes is needed. Received: {sorted(wrong)}")
    whole = np.frombuffer(b"".join(packed), stored).reshape(len(packed), dimension)
    return whole.astype(np.float32, copy=False)
