"""Merges two people of a gallery in PostgreSQL, and undoes merges.

Call all functions within a transaction.  A person's row is locked before the person's templates are
moved, so that no other process can add templates or remove the person at the same time.
"""

from __future__ import annotations

from typing import Any

from facekit.gallery.merge import Merge, require_free, require_two
from facekit.gallery.postgres.schema import SCHEMA
from facekit.gallery.postgres.seals import Seals
from facekit.gallery.records import now_utc

_COLUMNS = "template_id, space_id, photo, photo_sha256, x1, y1, x2, y2, score, enrolled_at"
_STORED = f"{_COLUMNS}, embedding, seal"


def merge(connection: Any, seals: Seals, name: str, other: str) -> Merge | None:
    """See Gallery.merge."""
    require_two(name, other)
    people = _locked(connection, seals, name, other)
    if len(people) < 2:
        return None
    (person_id, _), (other_id, enrolled_at) = people[name], people[other]
    (merge_id,) = connection.execute(
        f"INSERT INTO {SCHEMA}.merge (person_id, other_id, name, seal, enrolled_at, merged_at) "
        "VALUES (%s, %s, %s, %s, %s, %s) RETURNING merge_id",
        (person_id, other_id, other, seals.of_name(other_id, other), enrolled_at, now_utc()),
    ).fetchone()
    connection.execute(
        f"INSERT INTO {SCHEMA}.spare_template (merge_id, {_STORED}) "
        f"SELECT %s, {_STORED} FROM {SCHEMA}.template WHERE person_id = %s AND photo_sha256 IN "
        f"(SELECT photo_sha256 FROM {SCHEMA}.template WHERE person_id = %s)",
        (merge_id, other_id, person_id),
    )
    connection.execute(
        f"DELETE FROM {SCHEMA}.template WHERE template_id IN "
        f"(SELECT template_id FROM {SCHEMA}.spare_template WHERE merge_id = %s)",
        (merge_id,),
    )
    connection.execute(
        f"INSERT INTO {SCHEMA}.moved_template "
        f"SELECT %s, template_id FROM {SCHEMA}.template WHERE person_id = %s",
        (merge_id, other_id),
    )
    _move(connection, seals, merge_id, other_id, person_id)
    connection.execute(
        f"UPDATE {SCHEMA}.merge SET person_id = NULL, within = %s WHERE person_id = %s",
        (merge_id, other_id),
    )
    connection.execute(f"DELETE FROM {SCHEMA}.person WHERE person_id = %s", (other_id,))
    return _merge_of(connection, seals, merge_id)


def unmerge(connection: Any, seals: Seals, name: str, other: str) -> Merge | None:
    """See Gallery.unmerge."""
    people = _locked(connection, seals, name, other)
    if name not in people:
        return None
    person_id, _ = people[name]
    row = connection.execute(
        f"SELECT merge_id, other_id, enrolled_at FROM {SCHEMA}.merge "
        "WHERE person_id = %s AND name = %s ORDER BY merge_id DESC LIMIT 1",
        (person_id, other),
    ).fetchone()
    if row is None:
        return None
    merge_id, other_id, enrolled_at = row
    undone = _merge_of(connection, seals, merge_id)
    taken = connection.execute(
        f"INSERT INTO {SCHEMA}.person (person_id, name, seal, enrolled_at) "
        "OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING "
        "RETURNING person_id",
        (other_id, other, seals.of_name(other_id, other), enrolled_at),
    ).fetchone()
    require_free(other, taken=taken is None)
    _move(connection, seals, merge_id, person_id, other_id)
    connection.execute(
        f"INSERT INTO {SCHEMA}.template (person_id, {_STORED}) "
        f"OVERRIDING SYSTEM VALUE SELECT %s, {_STORED} FROM {SCHEMA}.spare_template "
        "WHERE merge_id = %s",
        (other_id, merge_id),
    )
    connection.execute(
        f"UPDATE {SCHEMA}.merge SET person_id = %s, within = NULL WHERE within = %s",
        (other_id, merge_id),
    )
    connection.execute(f"DELETE FROM {SCHEMA}.merge WHERE merge_id = %s", (merge_id,))
    _take_spares(connection, seals, person_id)
    return undone


def merges(connection: Any, seals: Seals, name: str | None) -> list[Merge]:
    """See Gallery.merges."""
    rows = connection.execute(
        f"SELECT merge_id FROM {SCHEMA}.merge JOIN {SCHEMA}.person USING (person_id) "
        "WHERE %s::text IS NULL OR person.name = %s ORDER BY merge_id",
        (name, name),
    ).fetchall()
    return [_merge_of(connection, seals, merge_id) for (merge_id,) in rows]


def _move(connection: Any, seals: Seals, merge_id: int, source: int, target: int) -> None:
    """Moves the templates of a merge to another person and seals them for that person."""
    rows = connection.execute(
        "SELECT template_id, photo_sha256, vector_send(embedding), seal "
        f"FROM {SCHEMA}.template JOIN {SCHEMA}.moved_template USING (template_id) "
        "WHERE person_id = %s AND merge_id = %s",
        (source, merge_id),
    ).fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {SCHEMA}.template SET person_id = %s, seal = %s WHERE template_id = %s",
            [
                (target, seals.for_another(source, target, *stored), template_id)
                for template_id, *stored in rows
            ],
        )


def _take_spares(connection: Any, seals: Seals, person_id: int) -> None:
    """Restores templates of photos that a just undone merge shared with a merge still in effect."""
    rows = connection.execute(
        "SELECT DISTINCT ON (photo_sha256) template_id, merge_id, other_id, photo_sha256, "
        "vector_send(embedding), spare_template.seal "
        f"FROM {SCHEMA}.spare_template JOIN {SCHEMA}.merge USING (merge_id) "
        "WHERE person_id = %s AND photo_sha256 NOT IN "
        f"(SELECT photo_sha256 FROM {SCHEMA}.template WHERE person_id = %s) "
        "ORDER BY photo_sha256, merge_id",
        (person_id, person_id),
    ).fetchall()
    for template_id, merge_id, other_id, *stored in rows:
        connection.execute(
            f"INSERT INTO {SCHEMA}.template (person_id, {_STORED}) "
            f"OVERRIDING SYSTEM VALUE SELECT %s, {_COLUMNS}, embedding, %s "
            f"FROM {SCHEMA}.spare_template WHERE template_id = %s",
            (person_id, seals.for_another(other_id, person_id, *stored), template_id),
        )
        connection.execute(
            f"DELETE FROM {SCHEMA}.spare_template WHERE template_id = %s", (template_id,)
        )
        connection.execute(
            f"INSERT INTO {SCHEMA}.moved_template VALUES (%s, %s)", (merge_id, template_id)
        )


def _locked(connection: Any, seals: Seals, name: str, other: str) -> dict[str, tuple[int, str]]:
    """Locks both people's rows; returns the number and enrollment time of each existing person.

    Raises StorageError for a name that was changed, or is another person's.
    """
    rows = connection.execute(
        f"SELECT person_id, name, seal, enrolled_at FROM {SCHEMA}.person WHERE name IN (%s, %s) "
        "ORDER BY person_id FOR UPDATE",
        (name, other),
    ).fetchall()
    return {seals.name(*sealed): (sealed[0], enrolled_at) for *sealed, enrolled_at in rows}


def _merge_of(connection: Any, seals: Seals, merge_id: int) -> Merge:
    other_id, name, seal, merged_at = connection.execute(
        f"SELECT other_id, name, seal, merged_at FROM {SCHEMA}.merge WHERE merge_id = %s",
        (merge_id,),
    ).fetchone()
    moved = connection.execute(
        f"SELECT photo_sha256 FROM {SCHEMA}.moved_template JOIN {SCHEMA}.template "
        "USING (template_id) WHERE merge_id = %s",
        (merge_id,),
    ).fetchall()
    shared = connection.execute(
        f"SELECT photo_sha256 FROM {SCHEMA}.spare_template WHERE merge_id = %s", (merge_id,)
    ).fetchall()
    return Merge(
        seals.name(other_id, name, seal),
        merged_at,
        frozenset(sha256 for (sha256,) in moved),
        frozenset(sha256 for (sha256,) in shared),
    )
