"""Merges two people of an SQLite gallery, and undoes merges."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.gallery.merge import Merge, require_free, require_two
from facekit.gallery.records import now_utc
from facekit.gallery.sqlite.session import SqliteSession

_COLUMNS = "template_id, space_id, photo, photo_sha256, x1, y1, x2, y2, score, enrolled_at"


def merge(session: SqliteSession, name: str, other: str) -> Merge | None:
    """See Gallery.merge; one transaction."""
    require_two(name, other)
    connection = session.connection
    with session.writing():
        person_id, other_id = session.person_id(name), session.person_id(other)
        if person_id is None or other_id is None:
            return None
        ((enrolled_at,),) = connection.execute(
            "SELECT enrolled_at FROM person WHERE person_id = ?", (other_id,)
        )
        seal = session.name_seal(other_id, other)
        merge_id = connection.execute(
            "INSERT INTO merge (person_id, other_id, name, seal, enrolled_at, merged_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (person_id, other_id, other, seal, enrolled_at, now_utc()),
        ).lastrowid
        connection.execute(
            f"INSERT INTO spare_template (merge_id, {_COLUMNS}, vector) "
            f"SELECT ?, {_COLUMNS}, vector FROM template WHERE person_id = ? AND photo_sha256 IN "
            "(SELECT photo_sha256 FROM template WHERE person_id = ?)",
            (merge_id, other_id, person_id),
        )
        connection.execute(
            "DELETE FROM template WHERE template_id IN "
            "(SELECT template_id FROM spare_template WHERE merge_id = ?)",
            (merge_id,),
        )
        connection.execute(
            "INSERT INTO moved_template SELECT ?, template_id FROM template WHERE person_id = ?",
            (merge_id, other_id),
        )
        _move(session, merge_id, other_id, person_id)
        connection.execute(
            "UPDATE merge SET person_id = NULL, within = ? WHERE person_id = ?",
            (merge_id, other_id),
        )
        connection.execute("DELETE FROM person WHERE person_id = ?", (other_id,))
        session.make_copies_stale()
        return _merge_of(session, merge_id)


def unmerge(session: SqliteSession, name: str, other: str) -> Merge | None:
    """See Gallery.unmerge; one transaction."""
    connection = session.connection
    with session.writing():
        person_id = session.person_id(name)
        row = connection.execute(
            "SELECT merge_id, other_id, enrolled_at FROM merge WHERE person_id = ? AND name = ? "
            "ORDER BY merge_id DESC LIMIT 1",
            (person_id, other),
        ).fetchone()
        if person_id is None or row is None:
            return None
        merge_id, other_id, enrolled_at = row
        require_free(other, taken=session.person_id(other) is not None)
        undone = _merge_of(session, merge_id)
        session.add_person(other, enrolled_at, person_id=other_id)
        _move(session, merge_id, person_id, other_id)
        connection.execute(
            f"INSERT INTO template (person_id, {_COLUMNS}, vector) "
            f"SELECT ?, {_COLUMNS}, vector FROM spare_template WHERE merge_id = ?",
            (other_id, merge_id),
        )
        connection.execute(
            "UPDATE merge SET person_id = ?, within = NULL WHERE within = ?", (other_id, merge_id)
        )
        connection.execute("DELETE FROM merge WHERE merge_id = ?", (merge_id,))
        _take_spares(session, person_id)
        session.make_copies_stale()
        return undone


def merges(session: SqliteSession, name: str | None) -> list[Merge]:
    """See Gallery.merges."""
    with session.reading():
        rows = session.connection.execute(
            "SELECT merge_id FROM merge JOIN person USING (person_id) "
            "WHERE ? IS NULL OR person.name = ? ORDER BY merge_id",
            (name, name),
        ).fetchall()
        return [_merge_of(session, merge_id) for (merge_id,) in rows]


def _move(session: SqliteSession, merge_id: int | None, source: int, target: int) -> None:
    """Moves the templates of a merge to another person and encrypts them for that person."""
    rows = session.connection.execute(
        "SELECT person_id, photo_sha256, vector, template_id FROM template WHERE person_id = ? AND "
        "template_id IN (SELECT template_id FROM moved_template WHERE merge_id = ?)",
        (source, merge_id),
    ).fetchall()
    vectors = _for_another(session, [row[:3] for row in rows], target)
    session.connection.executemany(
        "UPDATE template SET person_id = ?, vector = ? WHERE template_id = ?",
        [(target, vector, row[-1]) for vector, row in zip(vectors, rows, strict=True)],
    )


def _take_spares(session: SqliteSession, person_id: int) -> None:
    """Restores templates of photos that a just undone merge shared with a merge still in effect."""
    rows = session.connection.execute(
        "SELECT other_id, photo_sha256, vector, template_id, merge_id "
        "FROM spare_template JOIN merge USING (merge_id) WHERE person_id = ? AND photo_sha256 "
        "NOT IN (SELECT photo_sha256 FROM template WHERE person_id = ?) ORDER BY merge_id",
        (person_id, person_id),
    ).fetchall()
    first = list({row[1]: row for row in reversed(rows)}.values())  # of each photo
    vectors = _for_another(session, [row[:3] for row in first], person_id)
    for vector, (*_, template_id, merge_id) in zip(vectors, first, strict=True):
        session.connection.execute(
            f"INSERT INTO template (person_id, {_COLUMNS}, vector) "
            f"SELECT ?, {_COLUMNS}, ? FROM spare_template WHERE template_id = ?",
            (person_id, vector, template_id),
        )
        session.connection.execute(
            "DELETE FROM spare_template WHERE template_id = ?", (template_id,)
        )
        session.connection.execute(
            "INSERT INTO moved_template VALUES (?, ?)", (merge_id, template_id)
        )


def _for_another(
    session: SqliteSession, stored: Sequence[tuple[int, str, bytes]], target: int
) -> list[bytes]:
    """Returns stored vectors re-encrypted for another person.

    Each comes with the number of its person and the SHA-256 of its photo.
    """
    if not stored:
        return []
    space = session.space()
    assert space is not None  # because a template refers to it
    owners = [session.owner(source, sha256) for source, sha256, _ in stored]
    vectors = session.decoded([blob for *_, blob in stored], owners, space.size)
    return [
        session.codec.encode(vector, session.owner(target, sha256))
        for vector, (_, sha256, _) in zip(vectors, stored, strict=True)
    ]


def _merge_of(session: SqliteSession, merge_id: int | None) -> Merge:
    ((other_id, name, seal, merged_at),) = session.connection.execute(
        "SELECT other_id, name, seal, merged_at FROM merge WHERE merge_id = ?", (merge_id,)
    )
    moved = session.connection.execute(
        "SELECT photo_sha256 FROM moved_template JOIN template USING (template_id) "
        "WHERE merge_id = ?",
        (merge_id,),
    )
    shared = session.connection.execute(
        "SELECT photo_sha256 FROM spare_template WHERE merge_id = ?", (merge_id,)
    )
    return Merge(
        session.sealed_name(other_id, name, seal),
        merged_at,
        frozenset(sha256 for (sha256,) in moved),
        frozenset(sha256 for (sha256,) in shared),
    )
