"""Caches embeddings of photos, so that later runs only score them.

A configuration is the set of all settings that change a vector, e.g. model, detector and crop rule.
Each configuration has one file of records of equal size, to which records are only appended.  A
record that is truncated, e.g. by a full disk, or whose checksum is wrong, is ignored, and the photo
of the record is embedded again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import StorageError
from facekit.types import Float32Array

_FORMAT = 1
_ERROR_BYTES = 240


@dataclass(frozen=True, slots=True, eq=False)
class CachedPhoto:
    """The cached result of one photo: its vectors, or the reason why there are none."""

    photo_sha256: str
    vectors: Float32Array
    """(views, D) float32 of unit length, not centered; zeros if the photo has an error."""
    error: str = ""
    """Class and message of the error, e.g. "NoFaceError: ..."; "" if the photo has vectors."""


class EmbeddingCache:
    """The cached records of one configuration."""

    def __init__(self, folder: Path, configuration: Mapping[str, Any], *, views: int, size: int):
        """`configuration` must be JSON; each different configuration has its own file."""
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
        """Returns the records by photo sha256, none if there is no file.  Raises StorageError."""
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
        """Appends records, to a file of mode 0600, and flushes them to disk.

        Raises StorageError.
        """
        records = np.array([self._packed(photo) for photo in photos], self._record)
        if not len(records):
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # another evaluation may append at the same time
                end = file.seek(0, os.SEEK_END)
                file.truncate(end - end % self._record.itemsize)  # removes a truncated record
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
        record["error"] = photo.error.encode(errors="backslashreplace")[:_ERROR_BYTES]
        record["vectors"] = photo.vectors
        record["crc"] = zlib.crc32(record.tobytes()[4:])
        return record


def open_cache(
    folder: Path, configuration: Mapping[str, Any], *, mirrored: bool, size: int
) -> tuple[EmbeddingCache, dict[str, CachedPhoto]]:
    """Returns the cache to append to, and all usable records by photo sha256.

    `mirrored`: whether a photo has a second view, of its mirror image.  The first view of a
    mirrored run equals the view of a run without mirror images.  A run without mirror images
    therefore reads both caches.  Raises StorageError.
    """

    def cache_of(mirrored: bool) -> EmbeddingCache:
        described = {**configuration, "mirrored": mirrored}
        return EmbeddingCache(folder, described, views=1 + mirrored, size=size)

    cache = cache_of(mirrored)
    kept = cache.read()
    if not mirrored:
        first_views = {
            photo_hash: replace(photo, vectors=photo.vectors[:1])
            for photo_hash, photo in cache_of(True).read().items()
        }
        kept = first_views | kept
    return cache, kept


def _private(path: str, flags: int) -> int:
    """Opens with mode 0600, as all files of templates have; also a file that had another mode."""
    descriptor = os.open(path, flags, 0o600)
    if os.fstat(descriptor).st_uid == os.geteuid():  # another user's mode cannot be changed
        os.fchmod(descriptor, 0o600)
    return descriptor
