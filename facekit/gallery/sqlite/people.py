"""Reads and renames the people of an SQLite gallery.  Every name is compared with its seal."""

from __future__ import annotations

from facekit.errors import UsageError
from facekit.gallery.records import Candidate, Person
from facekit.gallery.sqlite.session import SqliteSession

_PEOPLE = """
SELECT person_id, person.name, seal, count(template_id), person.enrolled_at
FROM person LEFT JOIN template USING (person_id)
"""


def people(session: SqliteSession, name: str | None = None) -> list[Person]:
    """Returns everybody, sorted by name, or who has this name.

    Raises StorageError for a name that was changed.
    """
    where, values = ("", ()) if name is None else ("WHERE person.name = ? ", (name,))
    with session.reading():
        rows = session.connection.execute(
            f"{_PEOPLE}{where}GROUP BY person_id ORDER BY name", values
        )
        return [
            Person(session.sealed_name(person_id, stored, seal), template_count, enrolled_at)
            for person_id, stored, seal, template_count, enrolled_at in rows
        ]


def candidate(session: SqliteSession, person_id: int, similarity: float) -> Candidate:
    """Returns a person who was found.  Raises StorageError for a name that was changed.

    Call it within a transaction.
    """
    name, seal, template_count = session.connection.execute(
        "SELECT name, seal, (SELECT count(*) FROM template WHERE template.person_id = "
        "person.person_id) FROM person WHERE person_id = ?",
        (person_id,),
    ).fetchone()
    return Candidate(session.sealed_name(person_id, name, seal), similarity, template_count)


def rename(session: SqliteSession, old: str, new: str) -> bool:
    """See Gallery.rename; one transaction."""
    with session.writing():
        if old != new and session.person_id(new) is not None:
            raise UsageError(f"{new} is enrolled already: two people cannot share a name.")
        person_id = session.person_id(old)
        if person_id is None:
            return False
        session.connection.execute(
            "UPDATE person SET name = ?, seal = ? WHERE person_id = ?",
            (new, session.name_seal(person_id, new), person_id),
        )
        return True
