"""Doors of galleries: the SQLite file, and the file that moves people to another gallery."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from facekit.enums import PersonRule, VectorType
from facekit.gallery.gallery import Gallery
from facekit.gallery.sqlite import encryption
from facekit.gallery.sqlite.encryption import passphrase
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.gallery.transfer import export_gallery, import_gallery
from facekit.tasks.gallery_results import GalleryStats, ListedPeople, ShownPerson
from facekit.template.space import mean_sha256_of
from tests.fuzz.door import Door, Use, memory_folder
from tests.fuzz.mutate import changed_bytes, changed_json, changed_lines
from tests.gallery.made_up import SPACE, face_of, template

_SECRET = passphrase("a secret")
_PEOPLE = 4
_SIZE = 8
_KNOWN_SIMILARITY = 0.9
_SMALL_SPACE = replace(SPACE, size=_SIZE)
_MEAN = np.full(_SIZE, 0.1, np.float32)
_OTHER_SPACE = replace(_SMALL_SPACE, mean_sha256=mean_sha256_of(_MEAN))
_VALUES = (
    *(None, 0, 1, -1, 2, 1 << 40, -(1 << 63), (1 << 63) - 1, 0.5, float("inf"), b"", b"\0" * 40),
    *("", "x", "P1", "\0", "a" * 5000, "[" * 50_000, "{}", "1e999", "-1", "float16", "float99"),
    *(b"\xff\xfe" * 16, "none", "9" * 30, "null"),
)


def gallery_seeds() -> Mapping[str, list[bytes]]:
    """Galleries of 4 people, one merged into another; one is encrypted, one of float16."""
    return {".db": [_made(VectorType.FLOAT32), _made(VectorType.FLOAT16), _made(encrypted=True)]}


def _made(vector_type: VectorType = VectorType.FLOAT32, *, encrypted: bool = False) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.db"
        _quick_scrypt()
        create_sqlite(path, vector_type=vector_type, secret=_SECRET if encrypted else None)
        with SqliteGallery(path, secret=lambda: _SECRET) as gallery:
            enroll_people(gallery)
        with closing(sqlite3.connect(path)) as connection:  # one file, small pages
            for statement in ("journal_mode = DELETE", "page_size = 1024"):
                connection.execute(f"PRAGMA {statement}")
            connection.execute("VACUUM")
        return path.read_bytes()


def _quick_scrypt() -> None:
    encryption._SCRYPT = {"n": 2, "r": 8, "p": 1}


def changed_by_sql(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value in a column, another table, view, trigger or row."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        path = Path(folder) / "x.db"
        path.write_bytes(content)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = OFF")
            _change(connection, random)
        return path.read_bytes()


def _change(connection: sqlite3.Connection, random: Random) -> None:
    tables = [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
    ]
    table = random.choice(tables)
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    column, other = random.choice(columns), random.choice(columns)
    share = random.choice((0.5, 1))
    connection.create_function("chosen", 0, lambda: random.random() < share)
    some = "WHERE chosen()"
    match random.randrange(12):
        case 0:
            statements = (
                "DROP TABLE template",
                "CREATE TABLE extra (x)",
                "CREATE VIEW v AS SELECT 1",
                "CREATE TRIGGER t AFTER INSERT ON person BEGIN DELETE FROM meta; END",
                "ALTER TABLE person ADD COLUMN x",
                f"ALTER TABLE {table} RENAME TO x",
                "ANALYZE",
            )
            connection.execute(random.choice(statements))
        case 1:
            connection.execute(f"DELETE FROM {table} {some}")
        case 2:
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = {other} {some}")
        case 3:
            pragma = random.choice(("user_version", "application_id"))
            connection.execute(f"PRAGMA {pragma} = {random.choice((0, 1, 3, 4, 5, -1, 1 << 30))}")
        case 4:
            connection.execute("PRAGMA writable_schema = ON")
            value = random.choice((*_VALUES, "CREATE TABLE meta (key, value)"))
            field = random.choice(("type", "name", "tbl_name", "rootpage", "sql"))
            connection.execute(f"UPDATE sqlite_schema SET {field} = ? {some}", (value,))
        case 5:
            keys = ("vector_type", "removals", "lock", "gallery_id", "created_at", "x")
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (random.choice(keys), random.choice([one for one in _VALUES if one is not None])),
            )
        case 6 | 7:
            key, source = random.choice(
                (("meta", "value"), ("space", "description"), ("space", "mean"))
            )
            (value,) = random.choice(connection.execute(f"SELECT {source} FROM {key}").fetchall())
            if isinstance(value, bytes):
                spoilt: bytes | str = changed_bytes(value, [value], random)
            else:
                text = changed_json(str(value).encode(), [], random)
                spoilt = text if random.random() < 0.1 else text.decode(errors="ignore")
            connection.execute(f"UPDATE {key} SET {source} = ? WHERE {source} = ?", (spoilt, value))
        case _:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(
                f"UPDATE OR REPLACE {table} SET {column} = ? {some}", (random.choice(_VALUES),)
            )


def enroll_people(gallery: Gallery) -> None:
    """Enrolls 4 people and merges one into another."""
    for person in range(_PEOPLE):
        several = [template(person, photo, size=_SIZE) for photo in range(2)]
        gallery.add(f"P{person}", several, _SMALL_SPACE)
    gallery.merge("P0", "P3")


def _open_galleries(folder: Path) -> Use:
    _quick_scrypt()
    random = Random(16)

    def use(path: Path) -> None:
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        with SqliteGallery(path, secret=lambda: _SECRET, timeout_s=0) as gallery:
            use_gallery(gallery, random, folder)

    return use


def use_gallery(gallery: Gallery, random: Random, folder: Path) -> None:
    """Does with a gallery of the 4 people all that facekit may do with it, and one change.

    Raises AssertionError if somebody is known by a false name.
    """
    queries = np.stack([face_of(person, 9, size=_SIZE) for person in range(2 * _PEOPLE)])
    found = (
        GalleryStats(gallery.info()),
        ListedPeople(tuple(gallery.people())),
        ShownPerson(
            "P0",
            gallery.person("P0"),
            gallery.info().space,
            tuple(one for _, one in gallery.templates()),
            tuple(gallery.merges("P0")),
        ),
    )
    for one in found:
        json.dumps(one.to_dict(), allow_nan=False)
    ranked = gallery.rank(queries, _SMALL_SPACE, rule=PersonRule.BEST, top=2)
    for person, best in enumerate(ranked):
        if best and best[0].similarity >= _KNOWN_SIMILARITY:
            right = {f"P{person}", "P0"} if person in (0, 3) else {f"P{person}"}
            assert best[0].name in right, f"a false name: {best[0].name} for P{person}"
    gallery.check()
    match random.randrange(8):
        case 0:
            gallery.add("New", [template(9, size=_SIZE)], _SMALL_SPACE)
        case 1:
            gallery.remove("P1")
        case 2:
            gallery.rename("P1", "P9")
        case 3:
            gallery.merge("P1", "P2")
        case 4:
            gallery.unmerge("P0", "P3")
        case 5:
            gallery.recenter(_MEAN, _OTHER_SPACE)
        case 6:
            gallery.mean()
            gallery.photo_hashes("P1")
        case _:
            export_gallery(gallery, folder / "export.jsonl")


def export_seeds() -> Mapping[str, list[bytes]]:
    """Exports of 4 people, with and without a mean."""
    made = list[bytes]()
    with tempfile.TemporaryDirectory() as folder:
        for space, mean in ((_SMALL_SPACE, None), (_OTHER_SPACE, _MEAN)):
            path = Path(folder) / f"{len(made)}.db"
            create_sqlite(path)
            with SqliteGallery(path) as gallery:
                for person in range(_PEOPLE):
                    gallery.add(f"P{person}", [template(person, size=_SIZE)], space, mean=mean)
                export_gallery(gallery, path.with_suffix(".jsonl"))
            made.append(path.with_suffix(".jsonl").read_bytes())
    return {".jsonl": made}


def _open_exports(folder: Path) -> Use:
    empty = folder / "empty.db"
    create_sqlite(empty)

    def use(path: Path) -> None:
        for beside in folder.glob("used.db*"):
            beside.unlink()
        shutil.copy(empty, folder / "used.db")  # with its mode
        with SqliteGallery(folder / "used.db") as gallery:
            import_gallery(gallery, path)
            assert gallery.check() == []

    return use


GALLERIES = Door(
    gallery_seeds,
    {".db": (changed_bytes, changed_bytes, changed_by_sql, changed_by_sql)},
    _open_galleries,
)
EXPORTS = Door(
    export_seeds,
    {".jsonl": (changed_bytes, *6 * (changed_lines,))},
    _open_exports,
)
