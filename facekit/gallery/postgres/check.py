"""Checks a gallery in PostgreSQL, except for damage of the server's files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from facekit.errors import StorageError
from facekit.gallery.postgres.schema import SCHEMA, TABLES, search_accurately
from facekit.gallery.postgres.seals import Seals
from facekit.gallery.postgres.space import read_mean, read_space

_MOST_FAULTS = 20  # maximum number of reported faults of one kind
_RECALL_QUERIES = 100
_LEAST_RECALL = 0.99


def faults(connection: Any, seals: Seals) -> list[str]:
    """Returns one sentence for each fault.  Call the function within a transaction."""
    found = [
        *_schema_faults(connection),
        *_name_faults(connection, seals),
        *_merge_faults(connection),
        *_vector_faults(connection, seals),
    ]
    try:
        read_mean(connection, seals, read_space(connection, seals))
    except StorageError as error:
        found.append(str(error))
    if found:
        return found
    recall = recall_at_1(connection)
    if recall is not None and recall < _LEAST_RECALL:
        return [
            f"The index finds {recall:.1%} of the nearest templates; rebuild it: "
            f"REINDEX INDEX {SCHEMA}.template_embedding"
        ]
    return []


def _schema_faults(connection: Any) -> Iterator[str]:
    """Names triggers, rules, views and tables that somebody has added.

    A trigger could change templates while people are enrolled.
    """
    own = f"relnamespace = '{SCHEMA}'::regnamespace"
    for (name,) in connection.execute(
        f"SELECT relname FROM pg_class WHERE {own} AND relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND relname <> ALL(%s) UNION ALL "
        f"SELECT tgname FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid WHERE {own} "
        "AND NOT tgisinternal UNION ALL "
        "SELECT rulename FROM pg_rewrite JOIN pg_class ON ev_class = pg_class.oid "
        f"WHERE {own} AND relkind = 'r' LIMIT {_MOST_FAULTS}",
        (list(TABLES),),
    ):
        yield f"{name!r} in the schema {SCHEMA} is not facekit's."


def _name_faults(connection: Any, seals: Seals) -> Iterator[str]:
    for table, number in (("person", "person_id"), ("merge", "other_id")):
        rows = connection.execute(f"SELECT {number}, name, seal FROM {SCHEMA}.{table}")
        changed = (name for owner_id, name, seal in rows if seals.of_name(owner_id, name) != seal)
        for name in islice(changed, _MOST_FAULTS):
            yield f"The name {name!r} was changed or moved."
    for (name,) in connection.execute(
        f"SELECT name FROM {SCHEMA}.person WHERE person_id NOT IN "
        f"(SELECT person_id FROM {SCHEMA}.template) LIMIT {_MOST_FAULTS}"
    ):
        yield f"{name} is enrolled without a template."


def _merge_faults(connection: Any) -> Iterator[str]:
    for (name,) in connection.execute(
        f"SELECT DISTINCT merge.name FROM {SCHEMA}.moved_template "
        f"JOIN {SCHEMA}.merge USING (merge_id) LEFT JOIN {SCHEMA}.template USING (template_id) "
        "WHERE template.template_id IS NULL AND moved_template.template_id NOT IN "
        f"(SELECT template_id FROM {SCHEMA}.spare_template) "
        f"OR template.person_id <> merge.person_id LIMIT {_MOST_FAULTS}"
    ):
        yield f"A template of {name}, who was merged into somebody, is not where it was moved to."


def _vector_faults(connection: Any, seals: Seals) -> Iterator[str]:
    faulty = 0
    with connection.cursor(name="vectors") as cursor:
        cursor.execute(
            "SELECT name, photo, vector_send(embedding), person_id, photo_sha256, template.seal "
            f"FROM {SCHEMA}.template JOIN {SCHEMA}.person USING (person_id) UNION ALL "
            "SELECT name, photo, vector_send(embedding), other_id, photo_sha256, "
            f"spare_template.seal FROM {SCHEMA}.spare_template JOIN {SCHEMA}.merge "
            "USING (merge_id)"
        )
        for name, photo, *stored in cursor:
            try:
                seals.vector(*stored)
            except ValueError as error:
                yield f"The template of {name} from {photo}: {error}."
                faulty += 1
                if faulty == _MOST_FAULTS:
                    return


def recall_at_1(connection: Any) -> float | None:
    """Returns the share of queries, 0..1, for which the index finds a nearest template.

    A query is a random template of the gallery.  It is counted if the nearest other template that
    the index finds is as similar as the one that exact search finds.  Returns None for an empty
    gallery.  Call the function within a transaction.
    """
    search_accurately(connection)
    queries = connection.execute(
        f"SELECT template_id, embedding FROM {SCHEMA}.template ORDER BY random() "
        f"LIMIT {_RECALL_QUERIES}"
    ).fetchall()
    nearest = (
        f"SELECT embedding <=> %s::vector FROM {SCHEMA}.template "
        "WHERE template_id <> %s ORDER BY 1 LIMIT 1"
    )
    hits = total = 0
    for template_id, embedding in queries:
        found = {}
        for scan in ("on", "off"):
            connection.execute(f"SET LOCAL enable_indexscan = {scan}")
            found[scan] = connection.execute(nearest, (embedding, template_id)).fetchall()
        if found["off"]:
            total += 1
            hits += bool(found["on"]) and found["on"][0][0] <= found["off"][0][0] + 1e-6
    return hits / total if total else None
