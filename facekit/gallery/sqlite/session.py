"""An open SQLite gallery: connection, transactions, template space and key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from facekit.enums import VectorType
from facekit.errors import StorageError
from facekit.gallery.damage import changed_name, changed_space, damaged
from facekit.gallery.records import stored_mean
from facekit.gallery.seals import owned_name, owned_space, vector_owner
from facekit.gallery.sqlite import file as sqlite_file
from facekit.gallery.sqlite.encryption import AesGcmCodec, SecretSource, unlock
from facekit.gallery.sqlite.vectors import PlainCodec, VectorCodec
from facekit.system.fields import Fields
from facekit.template.match import require_unit
from facekit.template.space import TemplateSpace, parse_space
from facekit.types import Float32Array

_HAS_TEMPLATES = "SELECT EXISTS (SELECT 1 FROM template UNION ALL SELECT 1 FROM spare_template)"


class SqliteSession:
    """The state that the parts of an SQLite gallery share.  Not thread-safe."""

    def __init__(self, path: Path, *, secret: SecretSource, timeout_s: float) -> None:
        """Opens the file.

        Raises StorageError if the file cannot be opened, and UsageError if a secret is needed and
        missing.
        """
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
        """Lets all reads in this context use one state of the gallery.

        Within a transaction that is the transaction's state.  Raises StorageError if another
        process has rekeyed the gallery.
        """
        with sqlite_file.translated(self.path):
            if self.connection.in_transaction:
                yield
                return
            with sqlite_file.transaction(self.connection, write=False):
                self._require_current_key()
                yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Commits all changes, or none if an error is raised.

        Raises StorageError if another process has rekeyed the gallery.
        """
        with (
            sqlite_file.translated(self.path),
            sqlite_file.transaction(self.connection, write=True),
        ):
            self._require_current_key()
            yield

    def meta(self, key: str) -> str:
        """Returns the stored value, or "" if there is none."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def make_copies_stale(self) -> None:
        """Increments the count of removals, so that vector file and search index are outdated."""
        self.set_meta("removals", str(int(self.meta("removals")) + 1))

    def person_id(self, name: str) -> int | None:
        """Returns the person's number, None if nobody has this name.

        Raises StorageError if the name was changed, or is another person's.
        """
        row = self.connection.execute(
            "SELECT person_id, seal FROM person WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        person_id, seal = row
        self.sealed_name(person_id, name, seal)
        return int(person_id)

    def add_person(self, name: str, enrolled_at: str, *, person_id: int | None = None) -> int:
        """Adds a person without templates; returns the person's number, a new one by default."""
        row = (person_id, name, b"", enrolled_at)
        person_id = self.connection.execute("INSERT INTO person VALUES (?, ?, ?, ?)", row).lastrowid
        assert person_id is not None
        self.connection.execute(
            "UPDATE person SET seal = ? WHERE person_id = ?",
            (self.name_seal(person_id, name), person_id),
        )
        return person_id

    def set_meta(self, key: str, value: str) -> None:
        self.connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))

    def one(self, query: str, *values: str | int) -> int:
        """Returns the value of a query whose result is one integer."""
        return int(self.connection.execute(query, values).fetchone()[0])

    def space(self) -> TemplateSpace | None:
        """Returns the template space, None until somebody is enrolled.

        Raises StorageError if it was changed, or if the gallery has templates and no space.
        """
        row = self.connection.execute("SELECT description, seal FROM space").fetchone()
        if row is None:
            if self.one(_HAS_TEMPLATES):
                raise StorageError(
                    f"Gallery {self.path} is damaged: its template space is missing. Restore a "
                    "copy."
                )
            return None
        if self.space_seal(row[0]) != row[1]:
            raise changed_space(f"Gallery {self.path}", "template space")
        return parse_space(Fields(json.loads(row[0]), "space"))

    def space_seal(self, description: str, *, codec: VectorCodec | None = None) -> bytes:
        """Returns the bytes that are stored beside the description of the template space."""
        return (codec or self.codec).seal(owned_space(self.gallery_id, description))

    def mean(self, space: TemplateSpace | None) -> Float32Array | None:
        """Returns the mean (D,) of the gallery's space, which was subtracted from the vectors.

        None if none was, or if there is no space.  Raises StorageError if the mean was changed.
        """
        if space is None:
            return None
        (content,) = self.connection.execute("SELECT mean FROM space").fetchone()
        return stored_mean(content, space, f"Gallery {self.path}")

    def set_space(self, space: TemplateSpace, mean: Float32Array | None) -> None:
        """Stores the gallery's template space and the space's mean, which replace earlier ones."""
        description = json.dumps(space.to_dict())
        self.connection.execute(
            "INSERT INTO space VALUES (1, ?, ?, ?) ON CONFLICT (space_id) DO UPDATE "
            "SET description = excluded.description, seal = excluded.seal, mean = excluded.mean",
            (
                description,
                self.space_seal(description),
                b"" if mean is None else mean.astype("<f4").tobytes(),
            ),
        )

    def owner(self, person_id: int, photo_sha256: str) -> bytes:
        """Returns the bytes that a stored vector is bound to.

        The bytes name the vector's gallery, person and photo.
        """
        return vector_owner(self.gallery_id, person_id, photo_sha256)

    def name_seal(self, person_id: int, name: str, *, codec: VectorCodec | None = None) -> bytes:
        """Returns the bytes that bind a name to its person; they are stored beside the name."""
        return (codec or self.codec).seal(owned_name(self.gallery_id, person_id, name))

    def sealed_name(self, person_id: int, name: str, seal: bytes) -> str:
        """Returns the name.  Raises StorageError if it was changed, or is another person's."""
        if not isinstance(name, str) or self.name_seal(person_id, name) != seal:
            raise changed_name(f"Gallery {self.path}", name)
        return name

    def decoded(
        self, blobs: Sequence[bytes], owners: Sequence[bytes], dimension: int
    ) -> Float32Array:
        """Decodes stored vectors to (N, dimension) float32 of unit length, centered by `mean`.

        Raises StorageError for a vector that was changed.
        """
        try:
            vectors = self.codec.decode(blobs, owners, dimension)
            require_unit(vectors)
            return vectors
        except (ValueError, TypeError) as error:
            raise damaged(f"Gallery {self.path}", error) from error

    def _require_current_key(self) -> None:
        """Raises StorageError if another process has rekeyed the gallery.

        A vector written with the old key could not be read again.
        """
        if self.meta("lock") != self.lock:
            raise StorageError(f"Gallery {self.path} has been rekeyed meanwhile; open it again.")

    def _open_codec(self, secret: SecretSource) -> VectorCodec:
        vector_type = VectorType(self.meta("vector_type"))
        if not self.lock:
            return PlainCodec(vector_type)
        return AesGcmCodec(vector_type, unlock(self.lock, secret(), f"Gallery {self.path}"))
