"""Rewrites every vector of an SQLite gallery: about another mean embedding, or with another key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from facekit.errors import UsageError
from facekit.gallery.sqlite.encryption import AesGcmCodec, Secret, new_key
from facekit.gallery.sqlite.session import SqliteSession
from facekit.gallery.sqlite.vectors import VectorCodec
from facekit.reporter import Reporter
from facekit.template.match import recentered
from facekit.template.space import TemplateSpace
from facekit.types import Float32Array

_ROWS_AT_ONCE = 1_000
_NEXT_ROWS = {
    "template": """
SELECT template_id, person_id, photo_sha256, vector FROM template
WHERE template_id > ? ORDER BY template_id LIMIT ?
""",
    "spare_template": """
SELECT template_id, other_id, photo_sha256, vector FROM spare_template JOIN merge USING (merge_id)
WHERE template_id > ? ORDER BY template_id LIMIT ?
""",
}
"""Queries that select the next rows (template number, person number, photo's SHA-256, vector) of
each table with vectors.  The table spare_template holds the templates that merges set aside."""


def recenter(
    session: SqliteSession,
    space: TemplateSpace,
    mean: Float32Array | None,
    *,
    reporter: Reporter,
) -> int:
    """Centers all templates by another `mean` (D,); returns the number of templates.

    See Gallery.recenter.  Call this within a write transaction.  Returns 0 if the gallery is
    empty or already has this space.  Raises ModelMismatchError if the spaces differ in more
    than the mean, and StorageError for a damaged vector or mean.
    """
    current = session.space()
    if current is None or not current.differs_by_mean_alone(space):
        if current is not None:
            current.require_same(space, where=f"Gallery {session.path}")
        return 0
    old_mean = session.mean(current)
    count = session.one("SELECT count(*) FROM template")
    blocks = reporter.steps(
        _blocks(session), length=-(-count // _ROWS_AT_ONCE), label="recentering"
    )
    for table, rows in blocks:
        owners = [session.owner(row[1], row[2]) for row in rows]
        vectors = session.decoded([row[3] for row in rows], owners, space.size)
        moved = recentered(vectors, old_mean, mean)
        _update_vectors(session, table, rows, owners, moved, session.codec)
    session.set_space(space, mean)
    session.make_copies_stale()
    return count


def reencrypt(session: SqliteSession, secret: Secret) -> None:
    """Encrypts every vector with a new data key in one transaction.

    The data key is wrapped with a key from `secret`.  Vectors encrypted with the old key remain
    in the log and in free pages until these are purged.  Raises UsageError if the gallery is
    not encrypted, and StorageError if a vector is damaged or another process has rekeyed the
    gallery.
    """
    if not isinstance(session.codec, AesGcmCodec):
        raise UsageError(
            f"Gallery {session.path} is not encrypted. Make one with facekit gallery init "
            "--encrypt, and bring the people over with gallery export and gallery import."
        )
    key, lock = new_key(secret)
    fresh = AesGcmCodec(session.codec.vector_type, key)
    with session.writing():
        space = session.space()
        for table, rows in _blocks(session):
            assert space is not None  # because a template refers to it
            owners = [session.owner(row[1], row[2]) for row in rows]
            vectors = session.decoded([row[3] for row in rows], owners, space.size)
            _update_vectors(session, table, rows, owners, vectors, fresh)
        _seal(session, fresh)
        session.set_meta("lock", json.dumps(lock))
    session.codec, session.lock = fresh, json.dumps(lock)


def _blocks(session: SqliteSession) -> Iterator[tuple[str, list[Any]]]:
    """Yields each table's name with blocks of its rows (number, person, photo, stored vector).

    Each block is read completely before the next, because the caller changes its rows.
    """
    for table, next_rows in _NEXT_ROWS.items():
        last = 0
        while rows := session.connection.execute(next_rows, (last, _ROWS_AT_ONCE)).fetchall():
            yield table, rows
            last = rows[-1][0]


def _update_vectors(
    session: SqliteSession,
    table: str,
    rows: Sequence[Any],
    owners: Sequence[bytes],
    vectors: Float32Array,
    codec: VectorCodec,
) -> None:
    session.connection.executemany(
        f"UPDATE {table} SET vector = ? WHERE template_id = ?",
        [
            (codec.encode(vector, owner), row[0])
            for row, owner, vector in zip(rows, owners, vectors, strict=True)
        ],
    )


def _seal(session: SqliteSession, codec: VectorCodec) -> None:
    """Seals names and template space with another key."""
    connection = session.connection
    for table, number in (("person", "person_id"), ("merge", "other_id")):
        rows = connection.execute(f"SELECT {number}, name, seal FROM {table}").fetchall()
        connection.executemany(
            f"UPDATE {table} SET seal = ? WHERE {number} = ? AND name = ?",
            [
                (
                    session.name_seal(one, session.sealed_name(one, name, seal), codec=codec),
                    one,
                    name,
                )
                for one, name, seal in rows
            ],
        )
    for (description,) in connection.execute("SELECT description FROM space").fetchall():
        seal = session.space_seal(description, codec=codec)
        connection.execute("UPDATE space SET seal = ?", (seal,))
