"""Encodes template vectors as little-endian float32 or float16, without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from facekit.enums import VectorType
from facekit.types import Float32Array

_STORED: dict[VectorType, np.dtype[Any]] = {
    VectorType.FLOAT32: np.dtype("<f4"),
    VectorType.FLOAT16: np.dtype("<f2"),
}


class VectorCodec(Protocol):
    """Converts between vectors and their stored bytes.

    `owner` identifies what a stored vector belongs to; a codec may refuse to decode it for another
    owner.
    """

    def encode(self, vector: Float32Array, owner: bytes) -> bytes: ...

    def decode(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        """Decodes N blobs to (N, dimension) float32.  Raises ValueError for a damaged blob."""
        ...


@dataclass(frozen=True, slots=True)
class PlainCodec:
    """Stores the values of the vectors without encryption."""

    vector_type: VectorType

    def encode(self, vector: Float32Array, owner: bytes) -> bytes:
        return vector.astype(_STORED[self.vector_type]).tobytes()

    def decode(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        stored = _STORED[self.vector_type]
        wanted = dimension * stored.itemsize
        if wrong := {len(blob) for blob in blobs} - {wanted}:
            raise ValueError(f"a vector of {wanted} bytes is needed. Received: {sorted(wrong)}")
        whole = np.frombuffer(b"".join(blobs), stored).reshape(len(blobs), dimension)
        return whole.astype(np.float32, copy=False)
