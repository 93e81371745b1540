"""Reads vectors and names of a gallery in PostgreSQL, and compares each with its checksum.

The client makes and compares the checksums: a server that stores something else is found out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.errors import StorageError
from facekit.gallery.damage import changed_name
from facekit.gallery.postgres.schema import SCHEMA
from facekit.gallery.seals import checksum, owned_name, owned_space, vector_owner
from facekit.template.match import require_unit
from facekit.types import Float32Array

_HEADER_BYTES = 4  # of pgvector's binary form: two int16, the number of dimensions and 0


@dataclass(frozen=True, slots=True)
class Seals:
    """Makes and compares the checksums of one gallery."""

    gallery_id: str
    where: str
    """The gallery's name in messages."""

    def of_vector(self, vector: Float32Array, person_id: int, photo_sha256: str) -> bytes:
        """Returns the checksum that is stored beside a vector (D,)."""
        owner = vector_owner(self.gallery_id, person_id, photo_sha256)
        return checksum(vector.astype("<f4").tobytes(), owner)

    def of_name(self, person_id: int, name: str) -> bytes:
        """Returns the checksum that is stored beside a name."""
        return checksum(owned_name(self.gallery_id, person_id, name))

    def of_space(self, description: str) -> bytes:
        """Returns the checksum that is stored beside the description of the template space."""
        return checksum(owned_space(self.gallery_id, description))

    def name(self, person_id: int, name: str, seal: bytes) -> str:
        """Returns a stored name.  Raises StorageError if it differs from its checksum."""
        if self.of_name(person_id, name) != seal:
            raise changed_name(self.where, name)
        return name

    def vector(
        self, content: bytes, person_id: int, photo_sha256: str, seal: bytes
    ) -> Float32Array:
        """Returns (D,) float32 from what vector_send(embedding) gives, pgvector's binary form.

        Raises ValueError if the vector differs from its checksum or is not of unit length.
        """
        vector = np.frombuffer(content, ">f4", offset=_HEADER_BYTES).astype(np.float32)
        if self.of_vector(vector, person_id, photo_sha256) != seal:
            raise ValueError("a vector has another checksum: it was changed or moved")
        require_unit(vector[None])
        return vector

    def for_another(
        self, source: int, target: int, photo_sha256: str, content: bytes, seal: bytes
    ) -> bytes:
        """Returns the checksum of a stored vector for another person.

        Raises ValueError if the vector differs from its checksum for the first person.
        """
        vector = self.vector(content, source, photo_sha256, seal)
        return self.of_vector(vector, target, photo_sha256)


def read_seals(connection: Any, where: str) -> Seals:
    """Returns the seals of the gallery on the server.  Raises StorageError if its id is missing."""
    row = connection.execute(f"SELECT value FROM {SCHEMA}.meta WHERE key = 'gallery_id'").fetchone()
    if row is None:
        raise StorageError(f"{where} is damaged: its gallery_id is missing. Restore a copy.")
    return Seals(row[0], where)
