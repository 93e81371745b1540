"""A gallery in one SQLite file: write-ahead log, foreign keys, deleted content overwritten."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from facekit.enums import PersonRule, VectorType
from facekit.gallery.merge import Merge
from facekit.gallery.records import (
    Candidate,
    GalleryInfo,
    Person,
    Template,
    checked_name,
    now_utc,
    require_mean,
    require_members,
)
from facekit.gallery.sqlite import file as sqlite_file
from facekit.gallery.sqlite import merge as merging
from facekit.gallery.sqlite import people, rewrite
from facekit.gallery.sqlite.check import faults
from facekit.gallery.sqlite.encryption import Secret, SecretSource, new_key, no_secret
from facekit.gallery.sqlite.search import SqliteSearch
from facekit.gallery.sqlite.session import SqliteSession
from facekit.reporter import SILENT, Reporter
from facekit.template.space import TemplateSpace
from facekit.types import Float32Array

DEFAULT_TIMEOUT_S = 10.0
"""Seconds to wait for a gallery that another process has locked."""

_LEAST_RECALL = 0.99

_log = logging.getLogger(__name__)


def create_sqlite(
    path: Path, *, vector_type: VectorType = VectorType.FLOAT32, secret: Secret | None = None
) -> bool:
    """Makes an empty gallery; returns False if the file exists.  Raises StorageError."""
    meta = {
        "gallery_id": str(uuid.uuid4()),
        "created_at": now_utc(),
        "vector_type": vector_type.value,
        "removals": "0",
    }
    if secret is not None:
        _, lock = new_key(secret)
        meta["lock"] = json.dumps(lock)
    return sqlite_file.create(path, meta)


class SqliteGallery:
    """A gallery in an SQLite file: see gallery.Gallery.

    An object has one connection and is not thread-safe; many processes may use one gallery.
    """

    def __init__(
        self,
        path: Path,
        *,
        secret: SecretSource = no_secret,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Opens the gallery.  Raises StorageError; UsageError if a secret is needed and missing."""
        self.path = path
        self._session = SqliteSession(path, secret=secret, timeout_s=timeout_s)
        self._connection = self._session.connection
        self._search = SqliteSearch(self._session)

    def __enter__(self) -> SqliteGallery:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        with sqlite_file.translated(self.path):
            self._connection.close()

    def info(self) -> GalleryInfo:
        with self._session.reading():
            return GalleryInfo(
                url=str(self.path),
                schema_version=sqlite_file.schema_version(self._connection),
                space=self._session.space(),
                vector_type=VectorType(self._session.meta("vector_type")),
                encrypted=self._session.meta("lock") != "",
                people_count=self._session.one("SELECT count(*) FROM person"),
                template_count=self._session.one("SELECT count(*) FROM template"),
                size_bytes=self.path.stat().st_size,
            )

    def people(self) -> list[Person]:
        return people.people(self._session)

    def person(self, name: str) -> Person | None:
        return next(iter(people.people(self._session, name)), None)

    def templates(self, name: str | None = None) -> Iterator[tuple[str, Template]]:
        with self._session.reading():
            space = self._session.space()
            rows = self._connection.execute(
                _TEMPLATES + ("ORDER BY person_id, template_id" if name is None else _OF_ONE),
                () if name is None else (name,),
            )
            for person_id, stored_name, seal, *of_template, blob in rows:
                photo, sha256, x1, y1, x2, y2, score, time = of_template
                assert space is not None  # because a template refers to it
                person = self._session.sealed_name(person_id, stored_name, seal)
                owner = self._session.owner(person_id, sha256)
                vector = self._session.decoded([blob], [owner], space.size)[0]
                box = None if x1 is None else (x1, y1, x2, y2)
                yield person, Template(photo, sha256, box, score, time, vector)

    def photo_hashes(self, name: str) -> frozenset[str]:
        with self._session.reading():
            rows = self._connection.execute(
                "SELECT photo_sha256 FROM template JOIN person USING (person_id) WHERE name = ?",
                (name,),
            )
            return frozenset(sha256 for (sha256,) in rows)

    def mean(self) -> Float32Array | None:
        with self._session.reading():
            return self._session.mean(self._session.space())

    def add(
        self,
        name: str,
        templates: Sequence[Template],
        space: TemplateSpace,
        *,
        mean: Float32Array | None = None,
    ) -> int:
        if not templates:
            raise ValueError("A person is enrolled with at least one template.")
        require_members(templates, space, mean)
        name = checked_name(name)
        with self._session.writing():
            self._bind(space, mean)
            person_id = self._session.person_id(name)
            if person_id is None:
                person_id = self._session.add_person(name, now_utc())
            return sum(self._insert(person_id, template) for template in templates)

    def recenter(
        self, mean: Float32Array | None, space: TemplateSpace, *, reporter: Reporter = SILENT
    ) -> int:
        require_mean(mean, space)
        with self._session.writing():
            count = rewrite.recenter(self._session, space, mean, reporter=reporter)
        self._search.delete_caches()
        return count

    def remove(self, name: str) -> int:
        self._search.delete_caches()  # before and after, so that a kill between them leaves no copy
        with self._session.writing():
            removed = self._connection.execute(
                "DELETE FROM template WHERE person_id = (SELECT person_id FROM person "
                "WHERE name = ?)",
                (name,),
            ).rowcount
            self._connection.execute("DELETE FROM person WHERE name = ?", (name,))
            if removed:
                self._session.make_copies_stale()
        if removed:
            self._purge()
        return removed

    def rename(self, old: str, new: str) -> bool:
        return people.rename(self._session, old, checked_name(new))

    def merge(self, name: str, other: str) -> Merge | None:
        return merging.merge(self._session, name, other)

    def unmerge(self, name: str, other: str) -> Merge | None:
        return merging.unmerge(self._session, name, other)

    def merges(self, name: str | None = None) -> list[Merge]:
        return merging.merges(self._session, name)

    def rank(
        self, queries: Float32Array, space: TemplateSpace, *, rule: PersonRule, top: int
    ) -> list[list[Candidate]]:
        with self._session.reading():
            own = self._session.space()
            if own is None:
                return [[] for _ in queries]
            own.require_same(space, where=f"Gallery {self.path}")
            ranked = self._search.rank(queries, own.size, rule=rule, top=top)
            return [[people.candidate(self._session, *one) for one in best] for best in ranked]

    def check(self) -> list[str]:
        with self._session.reading():
            if found := faults(self._session):
                return found
            recall = self.recall_at_1()
            if recall is not None and recall < _LEAST_RECALL:
                return [
                    f"The approximate index finds {recall:.1%} of the nearest templates: remove "
                    f"{self.path}-index."
                ]
            return []

    def refresh_index(self, *, reporter: Reporter = SILENT) -> bool:
        """Updates the approximate index of a very large gallery; returns True if one was made.

        Raises MissingExtraError without usearch.
        """
        with self._session.reading():
            space = self._session.space()
            return space is not None and self._search.refresh_index(space.size, reporter=reporter)

    def recall_at_1(self) -> float | None:
        """Compares the approximate index with exact search; returns None if there is no index."""
        with self._session.reading():
            space = self._session.space()
            return None if space is None else self._search.recall_at_1(space.size)

    def rekey(self, secret: Secret) -> None:
        """Makes a new data key under `secret` and encrypts every vector anew.

        Raises UsageError if the gallery is not encrypted.
        """
        rewrite.reencrypt(self._session, secret)
        self._purge()

    def _bind(self, space: TemplateSpace, mean: Float32Array | None) -> None:
        own = self._session.space()
        if own is None:
            require_mean(mean, space)
            self._session.set_space(space, mean)
        else:
            own.require_same(space, where=f"Gallery {self.path}")

    def _insert(self, person_id: int, template: Template) -> int:
        owner = self._session.owner(person_id, template.photo_sha256)
        return self._connection.execute(
            _INSERT_TEMPLATE,
            (
                *(person_id, template.photo, template.photo_sha256),
                *(template.box_xyxy or (None,) * 4),
                *(template.score, template.enrolled_at),
                self._session.codec.encode(template.vector, owner),
            ),
        ).rowcount

    def _purge(self) -> None:
        """Overwrites every byte of removed templates in caches, log and free pages."""
        self._search.delete_caches()
        with sqlite_file.translated(self.path):
            self._connection.execute("VACUUM")
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _log.warning(
                "Gallery %s is being read by another process: the log beside it holds what was "
                "removed until that process ends.",
                self.path,
            )


_TEMPLATES = """
SELECT person_id, name, seal, photo, photo_sha256, x1, y1, x2, y2, score, template.enrolled_at,
    vector
FROM person CROSS JOIN template USING (person_id)
"""  # CROSS JOIN makes SQLite read person by person, without sorting vectors in a temporary file
_OF_ONE = "WHERE name = ? ORDER BY template_id"
_INSERT_TEMPLATE = """
INSERT INTO template (person_id, space_id, photo, photo_sha256, x1, y1, x2, y2, score, enrolled_at,
    vector)
VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
