"""Reads and changes the template space of a gallery in PostgreSQL, and its vectors as text.

Call every function within a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from facekit.gallery.damage import changed_space
from facekit.gallery.postgres.schema import SCHEMA, fix_dimension, make_index
from facekit.gallery.postgres.seals import Seals
from facekit.gallery.records import require_mean, stored_mean
from facekit.reporter import Reporter
from facekit.system.fields import Fields
from facekit.template.match import recentered
from facekit.template.space import TemplateSpace, parse_space
from facekit.types import Float32Array

_ROWS_AT_ONCE = 1_000


def read_space(connection: Any, seals: Seals, *, lock: str = "") -> TemplateSpace | None:
    """Returns the template space, or None until somebody is enrolled.

    `lock` is "", "FOR SHARE" or "FOR UPDATE", the lock on the space's row until the commit.  Raises
    StorageError if the space was changed.
    """
    row = connection.execute(f"SELECT description, seal FROM {SCHEMA}.space {lock}").fetchone()
    if row is None:
        return None
    if seals.of_space(row[0]) != row[1]:
        raise changed_space(seals.where, "template space")
    return parse_space(Fields(json.loads(row[0]), "space"))


def read_mean(connection: Any, seals: Seals, space: TemplateSpace | None) -> Float32Array | None:
    """Returns the mean (D,) of the gallery's space, None if it has none, or if there is no space.

    Raises StorageError if the mean was changed.
    """
    if space is None:
        return None
    (content,) = connection.execute(f"SELECT mean FROM {SCHEMA}.space").fetchone()
    return stored_mean(content, space, seals.where)


def bind(connection: Any, space: TemplateSpace, mean: Float32Array | None, *, seals: Seals) -> None:
    """Fixes the template space and mean of a gallery that has none.

    Raises ModelMismatchError if the gallery has another space, and ValueError if the SHA-256 of the
    mean to be fixed is not the one that `space` names.
    """
    own = read_space(connection, seals, lock="FOR SHARE")  # blocks recentering until the commit
    if own is None:
        require_mean(mean, space)
        if _write(connection, space, mean, "DO NOTHING", seals=seals):
            fix_dimension(connection, space.size)
        own = read_space(connection, seals, lock="FOR SHARE")
        assert own is not None  # set by this or by another process
    own.require_same(space, where=seals.where)


def recenter(
    connection: Any,
    space: TemplateSpace,
    mean: Float32Array | None,
    *,
    seals: Seals,
    reporter: Reporter,
) -> int:
    """See Gallery.recenter.  The index is rebuilt, which is faster than updating it row by row."""
    own = read_space(connection, seals, lock="FOR UPDATE")  # enrollment must wait for the new mean
    if own is None or not own.differs_by_mean_alone(space):
        if own is not None:
            own.require_same(space, where=seals.where)
        return 0
    old_mean = read_mean(connection, seals, own)
    (count,) = connection.execute(f"SELECT count(*) FROM {SCHEMA}.template").fetchone()
    connection.execute(f"DROP INDEX IF EXISTS {SCHEMA}.template_embedding")
    blocks = reporter.steps(
        _blocks(connection), length=-(-count // _ROWS_AT_ONCE), label="recentering"
    )
    with connection.cursor() as cursor:
        for table, rows in blocks:
            vectors = np.stack([seals.vector(*stored) for _, *stored in rows])
            cursor.executemany(
                f"UPDATE {SCHEMA}.{table} SET embedding = %s::vector, seal = %s "
                "WHERE template_id = %s",
                [
                    (vector_text(vector), seals.of_vector(vector, owner_id, sha256), template_id)
                    for vector, (template_id, _, owner_id, sha256, _) in zip(
                        recentered(vectors, old_mean, mean), rows, strict=True
                    )
                ],
            )
    make_index(connection)
    _write(
        connection,
        space,
        mean,
        "(space_id) DO UPDATE SET description = EXCLUDED.description, seal = EXCLUDED.seal, "
        "mean = EXCLUDED.mean",
        seals=seals,
    )
    return int(count)


def vector_text(vector: Float32Array) -> str:
    """Returns a (D,) vector in pgvector's text form; 9 digits preserve every float32."""
    return "[" + ",".join(f"{value:.9g}" for value in vector) + "]"


def _write(
    connection: Any,
    space: TemplateSpace,
    mean: Float32Array | None,
    on_conflict: str,
    *,
    seals: Seals,
) -> int:
    """Writes the row of space and mean; returns the number of written rows."""
    description = json.dumps(space.to_dict())
    content = b"" if mean is None else mean.astype("<f4").tobytes()
    return int(
        connection.execute(
            f"INSERT INTO {SCHEMA}.space VALUES (1, %s, %s, %s) ON CONFLICT {on_conflict}",
            (description, seals.of_space(description), content),
        ).rowcount
    )


def _blocks(connection: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yields each table's name with blocks of its rows.

    A row is number, stored vector, owner's number, photo's SHA-256 and checksum.  The rows include
    the templates that merges store so that merges can be undone.
    """
    for table, source, owner in (
        ("template", f"{SCHEMA}.template", "person_id"),
        (
            "spare_template",
            f"{SCHEMA}.spare_template JOIN {SCHEMA}.merge USING (merge_id)",
            "other_id",
        ),
    ):
        last = 0
        while rows := connection.execute(
            f"SELECT template_id, vector_send(embedding), {owner}, photo_sha256, {table}.seal "
            f"FROM {source} WHERE template_id > %s ORDER BY template_id LIMIT {_ROWS_AT_ONCE}",
            (last,),
        ).fetchall():
            yield table, rows
            last = rows[-1][0]
