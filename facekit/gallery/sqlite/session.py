"""An open SQLite gallery: its connection, transactions, model and key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from facekit.enums import VectorType
from facekit.errors import StorageError
from facekit.gallery.records import GalleryModel
from facekit.gallery.sqlite import file as sqlite_file
from facekit.gallery.sqlite.encryption import AesGcmCodec, SecretSource, unlock
from facekit.gallery.sqlite.vectors import PlainCodec, VectorCodec
from facekit.types import Float32Array


class SqliteSession:
    """What the parts of an SQLite gallery share.  Not thread-safe."""

    def __init__(self, path: Path, *, secret: SecretSource, timeout_s: float) -> None:
        """Raises StorageError, and UsageError where a secret is needed and not given."""
        self.path = path
        self.connection = sqlite_file.open_file(path, timeout_s=timeout_s)
        try:
            with sqlite_file.translated(path):
                self.gallery_id = self.meta("gallery_id")
                self.lock = self.meta("lock")
                self.codec = self._open_codec(secret)
        except BaseException:
            self.connection.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One state of the gallery throughout; within another transaction, that one's."""
        with sqlite_file.translated(self.path):
            if self.connection.in_transaction:
                yield
                return
            with sqlite_file.transaction(self.connection, write=False):
                self._require_own_lock()
                yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing."""
        with (
            sqlite_file.translated(self.path),
            sqlite_file.transaction(self.connection, write=True),
        ):
            self._require_own_lock()
            yield

    def meta(self, key: str) -> str:
        """The value, or ""."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        self.connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    def one(self, query: str, *values: str | int) -> int:
        """The only number of the only row."""
        return int(self.connection.execute(query, values).fetchone()[0])

    def model(self) -> GalleryModel | None:
        """None until somebody is enrolled."""
        row = self.connection.execute(
            "SELECT name, sha256, crop, mean_sha256, dimension FROM model"
        ).fetchone()
        return None if row is None else GalleryModel(*row)

    def owner(self, person_id: int, photo_sha256: str) -> bytes:
        """What an encrypted vector is bound to."""
        return f"{self.gallery_id} {person_id} {photo_sha256}".encode()

    def decoded(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        """(N, dimension).  Raises StorageError where a vector is not what it was."""
        try:
            return self.codec.decode(blobs, owners, dimension)
        except ValueError as error:
            raise StorageError(
                f"Gallery {self.path} is damaged: {error}. facekit gallery check says more."
            ) from error

    def _require_own_lock(self) -> None:
        """A vector under the key of before would be lost."""
        if self.meta("lock") != self.lock:
            raise StorageError(f"Gallery {self.path} has been rekeyed meanwhile; open it again.")

    def _open_codec(self, secret: SecretSource) -> VectorCodec:
        plain = PlainCodec(VectorType(self.meta("vector_type")))
        if not self.lock:
            return plain
        return AesGcmCodec(plain, unlock(json.loads(self.lock), secret(), f"Gallery {self.path}"))
