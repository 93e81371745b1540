"""Makes and migrates the tables of a gallery in PostgreSQL with pgvector, and connects to them.

The code relies on these facts of pgvector: `<=>` is the cosine distance, 1 - similarity.  An HNSW
index needs a column of a fixed number of dimensions, so the vector column is made when the first
person is enrolled.  An index scan is approximate; `SET LOCAL enable_indexscan = off` makes it
exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from facekit.errors import StorageError
from facekit.gallery.address import shown_url
from facekit.gallery.damage import DAMAGE, damaged, too_old
from facekit.system.extras import require

SCHEMA = "facekit_gallery"
_OLDEST_VERSION = 4
"""Earlier versions stored no checksums, or neither detector nor mean embedding."""
_EF_SEARCH = 200  # templates that an index scan holds as candidates; pgvector's default is 40
_LOCK = 0x666B6761  # advisory lock held by everything that changes the tables' definitions

_TABLES = f"""
CREATE TABLE {SCHEMA}.meta (
    key text PRIMARY KEY,
    value text NOT NULL
);
CREATE TABLE {SCHEMA}.space (
    space_id integer PRIMARY KEY CHECK (space_id = 1),
    description text NOT NULL,
    seal bytea NOT NULL,
    mean bytea NOT NULL
);
CREATE TABLE {SCHEMA}.person (
    person_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    seal bytea NOT NULL,
    enrolled_at text NOT NULL
);
CREATE TABLE {SCHEMA}.template (
    template_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id bigint NOT NULL REFERENCES {SCHEMA}.person ON DELETE CASCADE,
    space_id integer NOT NULL REFERENCES {SCHEMA}.space,
    photo text NOT NULL,
    photo_sha256 text NOT NULL,
    x1 double precision, y1 double precision, x2 double precision, y2 double precision,
    score double precision,
    enrolled_at text NOT NULL,
    embedding vector NOT NULL,
    seal bytea NOT NULL,
    UNIQUE (person_id, photo_sha256)
);
CREATE TABLE {SCHEMA}.merge (
    merge_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id bigint REFERENCES {SCHEMA}.person ON DELETE CASCADE,
    within bigint REFERENCES {SCHEMA}.merge ON DELETE CASCADE,
    other_id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    seal bytea NOT NULL,
    enrolled_at text NOT NULL,
    merged_at text NOT NULL,
    CHECK ((person_id IS NULL) <> (within IS NULL))
);
CREATE INDEX merge_of_person ON {SCHEMA}.merge (person_id);
CREATE INDEX merge_within ON {SCHEMA}.merge (within);
CREATE TABLE {SCHEMA}.moved_template (
    merge_id bigint NOT NULL REFERENCES {SCHEMA}.merge ON DELETE CASCADE,
    template_id bigint NOT NULL,
    PRIMARY KEY (merge_id, template_id)
);
CREATE TABLE {SCHEMA}.spare_template (
    template_id bigint PRIMARY KEY,
    merge_id bigint NOT NULL REFERENCES {SCHEMA}.merge ON DELETE CASCADE,
    space_id integer NOT NULL REFERENCES {SCHEMA}.space,
    photo text NOT NULL,
    photo_sha256 text NOT NULL,
    x1 double precision, y1 double precision, x2 double precision, y2 double precision,
    score double precision,
    enrolled_at text NOT NULL,
    embedding vector NOT NULL,
    seal bytea NOT NULL,
    UNIQUE (merge_id, photo_sha256)
)
"""  # facekit/gallery/sqlite/file.py describes the columns
TABLES = ("meta", "space", "person", "template", "merge", "moved_template", "spare_template")
MIGRATIONS: tuple[str, ...] = ("", "", "", _TABLES)
"""Script n migrates a gallery from schema version n to n + 1."""


def psycopg() -> Any:
    """Imports psycopg.  Raises MissingExtraError if psycopg is not installed."""
    return require("psycopg", extra="postgres", needed_for="A gallery in PostgreSQL")


def connect(url: str) -> Any:
    """Connects to the server.  Raises MissingExtraError or StorageError."""
    with translated(url):
        return psycopg().connect(url, autocommit=True, application_name="facekit")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turns psycopg's errors, and all that damaged content raises, into StorageErrors.

    No message shows a password.
    """
    try:
        yield
    except psycopg().Error as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"Gallery {shown_url(url)}: {reason}") from error
    except DAMAGE as error:
        raise damaged(f"Gallery {shown_url(url)}", error) from error


def create(connection: Any, meta: dict[str, str]) -> bool:
    """Makes the tables in a schema of their own; returns False if they exist.

    Raises psycopg.Error, for example if pgvector is not installed on the server.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if exists(connection):
            return False
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        _migrate(connection, 0)
        for key, value in meta.items():
            connection.execute(f"INSERT INTO {SCHEMA}.meta VALUES (%s, %s)", (key, value))
    return True


def bring_up(connection: Any, url: str) -> int:
    """Migrates to the schema of this facekit, and returns the schema's version.

    Raises StorageError if there is no gallery, or if its version is too old or newer than facekit.
    """
    if not exists(connection):
        raise StorageError(
            f"No gallery at {shown_url(url)}. facekit enroll and facekit gallery init make one."
        )
    version = _version(connection)
    if version < _OLDEST_VERSION:
        raise too_old(f"Gallery {shown_url(url)}", version)
    if version > len(MIGRATIONS):
        raise StorageError(
            f"Gallery {shown_url(url)} has schema version {version}; this facekit knows up to "
            f"{len(MIGRATIONS)}. Use the facekit that wrote it, or a newer one."
        )
    if version < len(MIGRATIONS):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            _migrate(connection, _version(connection))
    return len(MIGRATIONS)


def fix_dimension(connection: Any, dimension: int) -> None:
    """Makes the vector column, with `dimension` values per vector, and the index."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    connection.execute(
        f"ALTER TABLE {SCHEMA}.template ALTER COLUMN embedding TYPE vector({int(dimension)})"
    )
    make_index(connection)


def make_index(connection: Any) -> None:
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS template_embedding ON {SCHEMA}.template "
        "USING hnsw (embedding vector_cosine_ops)"
    )


def search_accurately(connection: Any) -> None:
    """Makes index scans of this transaction go on until enough live templates are found.

    Without the iterative scan, templates that were moved or removed since the last VACUUM take the
    places of the nearest ones.
    """
    connection.execute(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}")
    connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")


def exists(connection: Any) -> bool:
    (found,) = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.meta",)).fetchone()
    return found is not None


def _version(connection: Any) -> int:
    row = connection.execute(
        f"SELECT value FROM {SCHEMA}.meta WHERE key = 'schema_version'"
    ).fetchone()
    return int(row[0])


def _migrate(connection: Any, version: int) -> None:
    for script in MIGRATIONS[version:]:
        connection.execute(script)
    connection.execute(
        f"INSERT INTO {SCHEMA}.meta VALUES ('schema_version', %s) "
        "ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        (str(len(MIGRATIONS)),),
    )
