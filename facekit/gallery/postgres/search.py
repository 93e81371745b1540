"""Searches a gallery in PostgreSQL: the server proposes people, and the client compares them.

The similarities are those of the stored templates, after these were compared with their checksums,
so that no damage on the server makes a stranger known.  Call all functions within a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facekit.enums import PersonRule
from facekit.gallery.postgres.schema import SCHEMA, search_accurately
from facekit.gallery.postgres.seals import Seals
from facekit.gallery.postgres.space import vector_text
from facekit.gallery.records import Candidate
from facekit.gallery.search.exact import ExactSearch, VectorTable
from facekit.types import Float32Array


def rank(
    connection: Any, seals: Seals, query: Float32Array, *, rule: PersonRule, top: int
) -> list[Candidate]:
    """Returns the `top` most similar people for one query (D,), the most similar first.

    Raises StorageError for a name that was changed, and ValueError for a vector that was changed.
    """
    by_mean = rule is PersonRule.MEAN
    proposed = (_people if by_mean else _templates)(connection, query, top)
    column = "person_id" if by_mean else "template_id"
    rows = connection.execute(
        "SELECT template_id, person_id, photo_sha256, vector_send(embedding), template.seal "
        f"FROM {SCHEMA}.template WHERE {column} = ANY(%s) ORDER BY template_id",
        (proposed,),
    ).fetchall()
    if not rows:
        return []
    table = VectorTable(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.stack(
            [
                seals.vector(content, person_id, sha256, seal)
                for _, person_id, sha256, content, seal in rows
            ]
        ),
    )
    (ranked,) = ExactSearch((table,)).rank(query[None], rule=rule, top=top)
    return _candidates(connection, seals, ranked)


def _templates(connection: Any, query: Float32Array, top: int) -> list[int]:
    """Returns the most similar template of each of the `top` people.

    Requests more and more templates until these are found or all are read.
    """
    search_accurately(connection)
    limit = max(4 * top, 20)
    while True:
        nearest = connection.execute(
            f"SELECT person_id, template_id FROM {SCHEMA}.template "
            f"ORDER BY embedding <=> %s::vector LIMIT {limit}",
            (vector_text(query),),
        ).fetchall()
        best: dict[int, int] = {}
        for person_id, template_id in nearest:
            best.setdefault(person_id, template_id)
        if len(best) >= top or len(nearest) < limit:
            return list(best.values())[:top]
        limit *= 4


def _people(connection: Any, query: Float32Array, top: int) -> list[int]:
    """Compares the query with each person's mean template, exactly and without the index."""
    nearest = connection.execute(
        f"SELECT person_id, avg(embedding) <=> %s::vector AS distance "
        f"FROM {SCHEMA}.template GROUP BY person_id ORDER BY distance LIMIT {int(top)}",
        (vector_text(query),),
    ).fetchall()
    return [person_id for person_id, _ in nearest]


def _candidates(
    connection: Any, seals: Seals, ranked: Sequence[tuple[int, float]]
) -> list[Candidate]:
    rows = connection.execute(
        "SELECT person_id, name, person.seal, count(template_id) "
        f"FROM {SCHEMA}.person JOIN {SCHEMA}.template USING (person_id) "
        "WHERE person_id = ANY(%s) GROUP BY person_id",
        ([person_id for person_id, _ in ranked],),
    ).fetchall()
    found = {
        person_id: (seals.name(person_id, name, seal), count)
        for person_id, name, seal, count in rows
    }
    return [
        Candidate(name, similarity, count)
        for person_id, similarity in ranked
        for name, count in (found[person_id],)
    ]
