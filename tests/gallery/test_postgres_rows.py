"""Changed rows on a server are refused, or do no harm, as changed galleries in files are.

Not a door of the fuzzer, which starts a process anew after each crash: a server each time is slow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from facekit.errors import FacekitError
from facekit.gallery.postgres.gallery import PostgresGallery, create_postgres
from facekit.gallery.postgres.schema import SCHEMA, TABLES
from tests.fuzz.mutate import changed_json, mutant
from tests.fuzz.store_doors import enroll_people, use_gallery

psycopg = pytest.importorskip("psycopg", reason="pip install '.[postgres]'")
sql = pytest.importorskip("psycopg.sql")

_MISTAKE = 70


def rows_of(connection: Any) -> bytes:
    """Every row of every table as JSON, as the server writes its values."""
    queries = {one: f"SELECT to_jsonb(one) FROM {SCHEMA}.{one} AS one" for one in TABLES}
    found = {one: connection.execute(query).fetchall() for one, query in queries.items()}
    return json.dumps({one: [row for (row,) in rows] for one, rows in found.items()}).encode()


def replace_rows(connection: Any, content: bytes) -> None:
    """Raises psycopg.Error, ValueError or RecursionError for what the server does not take."""
    tables = json.loads(content)
    if not isinstance(tables, dict):
        raise ValueError("no tables")
    with connection.transaction():
        for table in reversed(TABLES):
            connection.execute(f"DELETE FROM {SCHEMA}.{table}")
        for table, rows in tables.items():
            into = sql.Identifier(SCHEMA, table)
            insert = sql.SQL(
                "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM "
                "jsonb_populate_recordset(NULL::{0}, %s::jsonb)"
            ).format(into)
            connection.execute(insert, (json.dumps(rows),))


def changed_value(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A digit of bytes or of a vector changed, or a value exchanged with another row's."""
    tables = json.loads(content)
    rows = random.choice([rows for rows in tables.values() if rows])
    row, other = random.choice(rows), random.choice(rows)
    name = random.choice(list(row))
    value = row[name]
    if isinstance(value, str) and value[:1] in ("\\", "[") and random.random() < 0.7:
        at = random.choice([at for at, digit in enumerate(value) if digit.isdigit()])
        row[name] = f"{value[:at]}{random.randrange(10)}{value[at + 1 :]}"
    else:
        row[name], other[name] = other[name], value
    return json.dumps(tables).encode()


@pytest.mark.parametrize("inputs", [60, pytest.param(5_000, marks=pytest.mark.slow)])
def test_changed_rows_do_no_harm(postgres_url: str, tmp_path: Path, inputs: int) -> None:
    create_postgres(postgres_url)
    random = Random(16)
    refused = used = 0
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for setting in ("session_replication_role = replica", "synchronous_commit = off"):
            connection.execute(f"SET {setting}")  # no foreign keys, and no waiting for the disk
        with PostgresGallery(postgres_url) as gallery:
            enroll_people(gallery)
        sound = rows_of(connection)
        mutators = (changed_value, changed_value, changed_json)
        for number in range(inputs):
            content = mutant([sound], random, mutators, longest=200_000) if number else sound
            try:
                replace_rows(connection, content)
            except (psycopg.Error, ValueError, RecursionError):
                continue
            (tmp_path / "rows.json").write_bytes(content)  # for whoever looks into a failure
            used += 1
            try:
                with PostgresGallery(postgres_url) as gallery:
                    use_gallery(gallery, random, tmp_path)
            except FacekitError as error:
                if error.exit_code == _MISTAKE or number == 0:
                    raise
                refused += 1
    print(f"{inputs:,} inputs, {used:,} that the server took, {refused:,} refused by facekit")
    assert used > inputs / 3
    assert refused > inputs / 10
