"""Makes, opens and migrates the SQLite file of a gallery."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

from facekit.errors import StorageError
from facekit.gallery.damage import CHECK, DAMAGE, damaged, too_old

APPLICATION_ID = 0x666B6761
""""fkga" in the file's header marks the SQLite file as a gallery."""

_PAGE_BYTES = 8192  # holds three rows of 512 float32; SQLite's default 4096 holds one
_SMALLEST_BYTES = 512  # SQLite's smallest page

_TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE space (
    space_id INTEGER PRIMARY KEY CHECK (space_id = 1),
    description TEXT NOT NULL,
    seal BLOB NOT NULL,
    mean BLOB NOT NULL
);
CREATE TABLE person (
    person_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    seal BLOB NOT NULL,
    enrolled_at TEXT NOT NULL
);
CREATE TABLE template (
    template_id INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    space_id INTEGER NOT NULL REFERENCES space,
    photo TEXT NOT NULL,
    photo_sha256 TEXT NOT NULL,
    x1 REAL, y1 REAL, x2 REAL, y2 REAL,
    score REAL,
    enrolled_at TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (person_id, photo_sha256)
);
CREATE INDEX template_of_person ON template (person_id);
CREATE TABLE merge (
    merge_id INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER REFERENCES person ON DELETE CASCADE,
    within INTEGER REFERENCES merge ON DELETE CASCADE,
    other_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    seal BLOB NOT NULL,
    enrolled_at TEXT NOT NULL,
    merged_at TEXT NOT NULL,
    CHECK ((person_id IS NULL) <> (within IS NULL))
);
CREATE INDEX merge_of_person ON merge (person_id);
CREATE INDEX merge_within ON merge (within);
CREATE TABLE moved_template (
    merge_id INTEGER NOT NULL REFERENCES merge ON DELETE CASCADE,
    template_id INTEGER NOT NULL,
    PRIMARY KEY (merge_id, template_id)
) WITHOUT ROWID;
CREATE TABLE spare_template (
    template_id INTEGER PRIMARY KEY,
    merge_id INTEGER NOT NULL REFERENCES merge ON DELETE CASCADE,
    space_id INTEGER NOT NULL REFERENCES space,
    photo TEXT NOT NULL,
    photo_sha256 TEXT NOT NULL,
    x1 REAL, y1 REAL, x2 REAL, y2 REAL,
    score REAL,
    enrolled_at TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (merge_id, photo_sha256)
);
"""
# The index lists a person's templates in the order of their numbers, without sorting vectors.
# AUTOINCREMENT never uses a number twice, so that a cache of the templates up to a number stays
# valid while others are added.  space.description is a TemplateSpace as JSON, space.mean the mean
# embedding that was subtracted from the vectors, as little-endian float32.

# A merge stores what is needed to undo it: number, name and time of the merged person (other_id,
# name, enrolled_at), the moved templates, and the templates of photos that the other person already
# had, which are not searched and stay encrypted for other_id.  Earlier merges into other_id are
# stored with this merge and restored when it is undone.

MIGRATIONS: tuple[str, ...] = ("", "", "", _TABLES)
"""Script n migrates a gallery from schema version n to n + 1."""
OLDEST_VERSION = 4
"""Earlier versions stored no checksums, or neither detector nor mean embedding."""


def create(path: Path, meta: Mapping[str, str], *, migrations: Sequence[str] = MIGRATIONS) -> bool:
    """Makes an empty gallery file of mode 0600; returns False if the file exists.

    The file appears complete or not at all.  Raises StorageError if it cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        with translated(path), closing(_connect(temporary, timeout_s=0)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _migrate(connection, migrations)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        try:
            os.link(temporary, path)  # unlike a rename, a link never replaces a gallery
        except FileExistsError:
            return False
        return True
    except OSError as error:
        raise StorageError(f"Cannot create gallery {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def open_file(
    path: Path, *, timeout_s: float, migrations: Sequence[str] = MIGRATIONS
) -> sqlite3.Connection:
    """Opens a gallery and migrates it to the schema of this facekit.

    Raises StorageError if the file is missing, is no gallery, cannot be read, or has a version that
    cannot be migrated.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"No gallery at {path} ({error.strerror or error}). facekit enroll and facekit gallery "
            "init make one; --gallery or FACEKIT_GALLERY name another."
        ) from error
    if size < _SMALLEST_BYTES:  # SQLite would make a new database of it
        raise StorageError(
            f"{path} is not a database, or it is truncated: it has {size} bytes. Restore a copy."
        )
    with translated(path):
        log = log_path(path)
        if _is_read_only(path) and has_changes(log):
            raise StorageError(
                f"{log} holds changes that a read-only file system lets nobody apply. Open the "
                "gallery once where it can be written, and copy it again."
            )
        connection = _connect(path, timeout_s=timeout_s)
        try:
            _require_gallery(connection, path, migrations)
            _require_schema(connection, path, migrations)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, migrations)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """Commits all changes, or none if an error is raised.

    All reads see one state of the gallery.  With `write`, the transaction first waits for the lock.
    """
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # on a full disk SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def log_path(path: Path) -> Path:
    """Returns where SQLite writes changes before it writes them into the file."""
    return path.with_name(f"{path.name}-wal")


def has_changes(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns SQLite's errors, and all that damaged content raises, into StorageErrors."""
    try:
        yield
    except sqlite3.Error as error:
        reason = str(error)
        advice = [advice for words, advice in _ADVICE if words in reason]
        raise StorageError(f"Gallery {path}: {reason}. {(advice or [CHECK])[0]}") from error
    except OSError as error:
        raise StorageError(f"Gallery {path}: {error.strerror or error}.") from error
    except MemoryError as error:  # which SQLite tells of some damaged schemas too
        raise StorageError(
            f"Gallery {path} is damaged, or takes more memory than there is. Restore a copy."
        ) from error
    except DAMAGE as error:
        raise damaged(f"Gallery {path}", error) from error


_ADVICE = (
    ("locked", "Another process is writing to it; try again when that one has finished."),
    ("full", "Nothing of this step was kept; make room and repeat it."),
    ("disk I/O error", "Nothing of this step was kept; look at the disk, its room and its quota."),
    ("readonly", "It cannot be written to; look at the owner and mode of the file and its folder."),
    ("malformed", "The file is damaged or truncated; restore a copy, or import an export."),
    ("not a database", "This is no gallery, or it is damaged; restore a copy."),
    ("unable to open", "Look at the owner and mode of the file and its folder."),
)


def _connect(path: Path, *, timeout_s: float) -> sqlite3.Connection:
    mode = "ro&immutable=1" if _is_read_only(path) else "rw"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _is_read_only(path: Path) -> bool:
    """Whether the file lies on a read-only file system, where SQLite can keep no log beside it."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _require_gallery(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StorageError(f"{path} is an SQLite database and not a gallery of facekit.")
    version = schema_version(connection)
    if 0 < version < OLDEST_VERSION:
        raise too_old(f"Gallery {path}", version)
    if version > len(migrations):
        raise StorageError(
            f"Gallery {path} has schema version {version}; this facekit knows up to "
            f"{len(migrations)}. Use the facekit that wrote it, or a newer one."
        )


def _require_schema(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Refuses a file whose tables and indices are not exactly those that the migrations make.

    A trigger could change vectors while people are enrolled, and a view could run without end.
    """
    found = _schema_of(connection)
    expected = _expected_schema(tuple(migrations[: schema_version(connection)]))
    if odd := sorted({name for name, _ in found ^ expected}):
        raise StorageError(
            f"Gallery {path} is damaged or was tampered with: {', '.join(map(repr, odd))} in its "
            "schema is missing, changed or not facekit's. Restore a copy."
        )


@cache
def _expected_schema(migrations: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _migrate(connection, migrations)
        return _schema_of(connection)


def _schema_of(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Returns name and definition of everything in the file, except for SQLite's own statistics."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return frozenset(
        (str(name), repr((kind, table, sql)))
        for kind, name, table, sql in rows
        if not str(name).startswith("sqlite_stat")
    )


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Runs each script in a transaction, which also stores the new version number."""
    while (version := schema_version(connection)) < len(migrations):
        with transaction(connection, write=True):
            if schema_version(connection) != version:
                continue  # another process was faster
            for statement in _statements(migrations[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")


def schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """Yields one statement at a time, because executescript would commit first."""
    return (statement for statement in script.split(";") if statement.strip())
