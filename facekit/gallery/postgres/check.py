"""Checks a gallery in PostgreSQL, except for damage of the server's files."""

from __future__ import annotations

from typing import Any

from facekit.gallery.postgres.schema import SCHEMA, search_accurately

_MOST_FAULTS = 20  # maximum number of reported faults of one kind
_RECALL_QUERIES = 100
_LEAST_RECALL = 0.99


def faults(connection: Any) -> list[str]:
    """Returns one sentence for each fault.  Call the function within a transaction."""
    found = [
        f"{name} is enrolled without a template."
        for (name,) in connection.execute(
            f"SELECT name FROM {SCHEMA}.person WHERE person_id NOT IN "
            f"(SELECT person_id FROM {SCHEMA}.template) LIMIT {_MOST_FAULTS}"
        )
    ]
    found += [
        f"The template of {name} from {photo}: length {norm:.4g} in place of 1."
        for name, photo, norm in connection.execute(
            f"SELECT name, photo, vector_norm(embedding) FROM {SCHEMA}.template "
            f"JOIN {SCHEMA}.person USING (person_id) "
            f"WHERE abs(vector_norm(embedding) - 1) > 1e-3 LIMIT {_MOST_FAULTS}"
        )
    ]
    found += [
        f"A template of {name}, who was merged into somebody, is not where it was moved to."
        for (name,) in connection.execute(
            f"SELECT DISTINCT merge.name FROM {SCHEMA}.moved_template "
            f"JOIN {SCHEMA}.merge USING (merge_id) LEFT JOIN {SCHEMA}.template USING (template_id) "
            "WHERE template.template_id IS NULL AND moved_template.template_id NOT IN "
            f"(SELECT template_id FROM {SCHEMA}.spare_template) "
            f"OR template.person_id <> merge.person_id LIMIT {_MOST_FAULTS}"
        )
    ]
    recall = recall_at_1(connection)
    if recall is not None and recall < _LEAST_RECALL:
        found.append(
            f"The index finds {recall:.1%} of the nearest templates; rebuild it: "
            f"REINDEX INDEX {SCHEMA}.template_embedding"
        )
    return found


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
