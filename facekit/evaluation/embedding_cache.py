"""Embeddings of photos kept between runs: computed once, scored many times.

One file a configuration (model, detector, crop rule: whatever changes a vector), in it records
of one size that are only ever appended.  A record that a kill or a full disk cut short, or whose
checksum is wrong, is not there; the photo is then embedded again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import StorageError
from facekit.types import Float32Array

_FORMAT = 1
_ERROR_BYTES = 240


@dataclass(frozen=True, slots=True, eq=False)
class CachedPhoto:
    """What one photo gave: either vectors, or the reason why there are none."""

    photo_sha256: str
    vectors: Float32Array
    """(views, D) float32 of unit length, not centered; zeros where there is an error"""
    error: str = ""
    """class and message of a failure to acquire, e.g. "NoFaceError: ..." """


class EmbeddingCache:
    """The records of one configuration."""

    def __init__(self, folder: Path, configuration: Mapping[str, Any], *, views: int, size: int):
        """`configuration` must be JSON; every change of it is another file."""
        described = json.dumps({"format": _FORMAT, "views": views, "size": size, **configuration},
                               sort_keys=True)  # fmt: skip
        self.path = folder / f"{hashlib.sha256(described.encode()).hexdigest()[:24]}.embeddings"
        self._record = np.dtype(
            [
                ("crc", "<u4"),
                ("photo", "V32"),
                ("error", f"S{_ERROR_BYTES}"),
                ("vectors", "<f4", (views, size)),
            ]
        )

    def read(self) -> dict[str, CachedPhoto]:
        """By photo sha256; empty where nothing is kept yet.  Raises StorageError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"Cannot read {self.path}: {error.strerror}") from error
        whole = len(content) // self._record.itemsize * self._record.itemsize
        records = np.frombuffer(content[:whole], self._record)
        found = {}
        for record in records:
            if record["crc"] == zlib.crc32(record.tobytes()[4:]):
                photo = bytes(record["photo"]).hex()
                reason = bytes(record["error"]).decode(errors="replace")
                found[photo] = CachedPhoto(photo, record["vectors"], reason)
        return found

    def append(self, photos: Iterable[CachedPhoto]) -> None:
        """Adds records and flushes them to the disk.  Raises StorageError."""
        records = np.array([self._packed(photo) for photo in photos], self._record)
        if not len(records):
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # another evaluation may be running
                end = file.seek(0, os.SEEK_END)
                file.truncate(end - end % self._record.itemsize)  # a record that was cut short
                file.write(records.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"Cannot write {self.path}: {error.strerror}. Make room, or set FACEKIT_HOME to "
                "another folder."
            ) from error

    def _packed(self, photo: CachedPhoto) -> Any:
        record = np.zeros((), self._record)
        record["photo"] = np.void(bytes.fromhex(photo.photo_sha256))
        record["error"] = photo.error.encode()[:_ERROR_BYTES]
        record["vectors"] = photo.vectors
        record["crc"] = zlib.crc32(record.tobytes()[4:])
        return record
