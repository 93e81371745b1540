"""Merges two people of a gallery in PostgreSQL, and undoes merges.

Call all functions within a transaction.  A person's row is locked before the person's templates are
moved, so that no other process can add templates or remove the person at the same time.
"""

from __future__ import annotations

from typing import Any

from facekit.gallery.merge import Merge, require_free, require_two
from facekit.gallery.postgres.schema import SCHEMA
from facekit.gallery.records import now_utc

_COLUMNS = (
    "template_id, space_id, photo, photo_sha256, x1, y1, x2, y2, score, enrolled_at, embedding"
)


def merge(connection: Any, name: str, other: str) -> Merge | None:
    """See Gallery.merge."""
    require_two(name, other)
    people = _locked(connection, name, other)
    if len(people) < 2:
        return None
    (person_id, _), (other_id, enrolled_at) = people[name], people[other]
    (merge_id,) = connection.execute(
        f"INSERT INTO {SCHEMA}.merge (person_id, other_id, name, enrolled_at, merged_at) "
        "VALUES (%s, %s, %s, %s, %s) RETURNING merge_id",
        (person_id, other_id, other, enrolled_at, now_utc()),
    ).fetchone()
    connection.execute(
        f"INSERT INTO {SCHEMA}.spare_template (merge_id, {_COLUMNS}) "
        f"SELECT %s, {_COLUMNS} FROM {SCHEMA}.template WHERE person_id = %s AND photo_sha256 IN "
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
    connection.execute(
        f"UPDATE {SCHEMA}.template SET person_id = %s WHERE person_id = %s", (person_id, other_id)
    )
    connection.execute(
        f"UPDATE {SCHEMA}.merge SET person_id = NULL, within = %s WHERE person_id = %s",
        (merge_id, other_id),
    )
    connection.execute(f"DELETE FROM {SCHEMA}.person WHERE person_id = %s", (other_id,))
    return _merge_of(connection, merge_id)


def unmerge(connection: Any, name: str, other: str) -> Merge | None:
    """See Gallery.unmerge."""
    people = _locked(connection, name, other)
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
    undone = _merge_of(connection, merge_id)
    taken = connection.execute(
        f"INSERT INTO {SCHEMA}.person (person_id, name, enrolled_at) OVERRIDING SYSTEM VALUE "
        "VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING person_id",
        (other_id, other, enrolled_at),
    ).fetchone()
    require_free(other, taken=taken is None)
    connection.execute(
        f"UPDATE {SCHEMA}.template SET person_id = %s WHERE person_id = %s AND template_id IN "
        f"(SELECT template_id FROM {SCHEMA}.moved_template WHERE merge_id = %s)",
        (other_id, person_id, merge_id),
    )
    connection.execute(
        f"INSERT INTO {SCHEMA}.template (person_id, {_COLUMNS}) OVERRIDING SYSTEM VALUE "
        f"SELECT %s, {_COLUMNS} FROM {SCHEMA}.spare_template WHERE merge_id = %s",
        (other_id, merge_id),
    )
    connection.execute(
        f"UPDATE {SCHEMA}.merge SET person_id = %s, within = NULL WHERE within = %s",
        (other_id, merge_id),
    )
    connection.execute(f"DELETE FROM {SCHEMA}.merge WHERE merge_id = %s", (merge_id,))
    _take_spares(connection, person_id)
    return undone


def merges(connection: Any, name: str | None) -> list[Merge]:
    """See Gallery.merges."""
    rows = connection.execute(
        f"SELECT merge_id FROM {SCHEMA}.merge JOIN {SCHEMA}.person USING (person_id) "
        "WHERE %s::text IS NULL OR person.name = %s ORDER BY merge_id",
        (name, name),
    ).fetchall()
    return [_merge_of(connection, merge_id) for (merge_id,) in rows]


def _take_spares(connection: Any, person_id: int) -> None:
    """Restores templates of photos that a just undone merge shared with a merge still in effect."""
    rows = connection.execute(
        "SELECT DISTINCT ON (photo_sha256) template_id, merge_id "
        f"FROM {SCHEMA}.spare_template JOIN {SCHEMA}.merge USING (merge_id) "
        "WHERE person_id = %s AND photo_sha256 NOT IN "
        f"(SELECT photo_sha256 FROM {SCHEMA}.template WHERE person_id = %s) "
        "ORDER BY photo_sha256, merge_id",
        (person_id, person_id),
    ).fetchall()
    for template_id, merge_id in rows:
        connection.execute(
            f"INSERT INTO {SCHEMA}.template (person_id, {_COLUMNS}) OVERRIDING SYSTEM VALUE "
            f"SELECT %s, {_COLUMNS} FROM {SCHEMA}.spare_template WHERE template_id = %s",
            (person_id, template_id),
        )
        connection.execute(
            f"DELETE FROM {SCHEMA}.spare_template WHERE template_id = %s", (template_id,)
        )
        connection.execute(
            f"INSERT INTO {SCHEMA}.moved_template VALUES (%s, %s)", (merge_id, template_id)
        )


def _locked(connection: Any, name: str, other: str) -> dict[str, tuple[int, str]]:
    """Locks both people's rows; returns the number and enrollment time of each existing person."""
    rows = connection.execute(
        f"SELECT name, person_id, enrolled_at FROM {SCHEMA}.person WHERE name IN (%s, %s) "
        "ORDER BY person_id FOR UPDATE",
        (name, other),
    ).fetchall()
    return {found: (person_id, enrolled_at) for found, person_id, enrolled_at in rows}


def _merge_of(connection: Any, merge_id: int) -> Merge:
    name, merged_at = connection.execute(
        f"SELECT name, merged_at FROM {SCHEMA}.merge WHERE merge_id = %s", (merge_id,)
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
        name,
        merged_at,
        frozenset(sha256 for (sha256,) in moved),
        frozenset(sha256 for (sha256,) in shared),
    )
