"""A gallery with a flipped bit answers as before or is refused: it never gives a false name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import PersonRule
from facekit.errors import StorageError
from facekit.gallery.search.cache import cache_path
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.encryption import passphrase
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.template.space import mean_sha256_of
from tests.gallery.made_up import SIZE, SPACE, face_of, template, templates

PEOPLE = 12
STRANGERS = 12
SECRET = passphrase("a secret")
KNOWN_SIMILARITY = 0.5
"""Faces of one person are alike by 0.8 or so, those of two by less than 0.45."""


def make(path: Path, *, encrypted: bool) -> None:
    create_sqlite(path, secret=SECRET if encrypted else None)
    with SqliteGallery(path, secret=lambda: SECRET) as gallery:
        for person in range(PEOPLE):
            gallery.add(f"P{person}", templates(person, 2), SPACE)


def answers(path: Path) -> list[str]:
    """Whom the gallery takes each of its people, and then each stranger, for; "" for nobody."""
    queries = np.stack([face_of(person, 9) for person in range(PEOPLE + STRANGERS)])
    with SqliteGallery(path, secret=lambda: SECRET, timeout_s=0) as gallery:
        ranked = gallery.rank(queries, SPACE, rule=PersonRule.BEST, top=2)
    return [
        best[0].name if best and best[0].similarity >= KNOWN_SIMILARITY else "" for best in ranked
    ]


RIGHT = [f"P{person}" for person in range(PEOPLE)] + [""] * STRANGERS


def count_outcomes(file: Path, path: Path, flips: int) -> tuple[int, int, int]:
    """Flips one bit of `file` at a time; counts harmless, refused and less complete answers."""
    sound = {one: one.read_bytes() for one in path.parent.iterdir()}
    generator = np.random.default_rng(16)
    harmless = refused = incomplete = 0
    for place in generator.integers(len(sound[file]) * 8, size=flips):
        for one, content in sound.items():
            one.write_bytes(content)
        flipped = bytearray(sound[file])
        flipped[place // 8] ^= 1 << (place % 8)
        file.write_bytes(flipped)
        try:
            given = answers(path)
        except StorageError:
            refused += 1
            continue
        false = [name for name, right in zip(given, RIGHT, strict=True) if name not in ("", right)]
        assert not false, f"bit {place}: {false}"
        harmless += given == RIGHT
        incomplete += given != RIGHT
        if given != RIGHT:
            with SqliteGallery(path, secret=lambda: SECRET) as gallery:
                assert gallery.check(), f"bit {place} is not found by a check"
    return harmless, refused, incomplete


@pytest.mark.parametrize("flips", [100, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_no_flipped_bit_of_the_file_makes_anybody_known(
    tmp_path: Path, flips: int, encrypted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facekit.gallery.sqlite.encryption._SCRYPT", {"n": 2, "r": 8, "p": 1})
    path = tmp_path / "people.db"
    make(path, encrypted=encrypted)
    assert answers(path) == RIGHT
    harmless, refused, _ = count_outcomes(path, path, flips)
    assert refused > flips / 20
    assert harmless > flips / 20


@pytest.mark.parametrize("flips", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_the_copied_vectors_makes_anybody_known(
    tmp_path: Path, flips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_search, "CACHE_FROM", 2)
    path = tmp_path / "people.db"
    make(path, encrypted=False)
    assert answers(path) == RIGHT
    harmless, refused, _ = count_outcomes(cache_path(path), path, flips)
    assert harmless + refused > flips / 2


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_swapped_names_and_templates_are_refused(tmp_path: Path, encrypted: bool) -> None:
    path = tmp_path / "people.db"
    make(path, encrypted=encrypted)
    for swap in (
        "UPDATE person SET name = CASE name WHEN 'P0' THEN 'P1.' WHEN 'P1' THEN 'P0' ELSE name END",
        "UPDATE template SET person_id = 3 - person_id WHERE person_id IN (1, 2)",
        "UPDATE template SET vector = (SELECT vector FROM template WHERE template_id = 1)",
        "UPDATE template SET vector = 1.5",
        "UPDATE meta SET value = 'other' WHERE key = 'gallery_id'",
        "UPDATE space SET description = replace(description, 'abab', 'abac')",
    ):
        with SqliteGallery(path, secret=lambda: SECRET) as gallery:
            gallery._connection.execute("BEGIN")
            gallery._connection.execute(swap)
            gallery._session.gallery_id = gallery._session.meta("gallery_id")
            with pytest.raises(StorageError, match="damaged"):
                gallery.rank(face_of(0, 9)[None], SPACE, rule=PersonRule.BEST, top=2)
            assert gallery.check()
            gallery._connection.execute("ROLLBACK")


@pytest.mark.parametrize("content", ["zeroblob(length(mean))", "x'00'", "'abc'", "7"])
def test_a_mean_that_was_changed_recenters_nothing(sqlite_path: Path, content: str) -> None:
    mean = np.full(SIZE, 0.01, np.float32)
    space = replace(SPACE, mean_sha256=mean_sha256_of(mean))
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", [template(1)], space, mean=mean)
        gallery._connection.execute(f"UPDATE space SET mean = {content}")
        with pytest.raises(StorageError, match="mean embedding was changed"):
            gallery.recenter(None, SPACE)
        assert "its mean embedding was changed" in gallery.check()[0]


def test_a_space_that_is_missing_is_told_as_missing(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", [template(1)], SPACE)
        gallery._connection.execute("PRAGMA foreign_keys = OFF")
        gallery._connection.execute("DELETE FROM space")
        with pytest.raises(StorageError, match="its template space is missing"):
            gallery.info()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON template BEGIN UPDATE template SET vector = 0; END",
        "CREATE VIEW v AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x FROM r) "
        "SELECT x FROM r",
        "CREATE TABLE extra (x)",
        "DROP INDEX merge_within",
        "ALTER TABLE person ADD COLUMN x",
    ],
)
def test_a_schema_that_is_none_of_ours_is_refused(sqlite_path: Path, statement: str) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", [template(1)], SPACE)
        gallery._connection.execute(statement)
    with pytest.raises(StorageError, match="tampered"):
        SqliteGallery(sqlite_path)


def test_statistics_of_sqlite_are_allowed(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", [template(1)], SPACE)
        gallery._connection.execute("ANALYZE")
    with SqliteGallery(sqlite_path) as gallery:
        assert gallery.check() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vector_type", "float99"),
        ("removals", "many"),
        ("removals", "1e999"),
        ("lock", "{"),
        ("lock", "[" * 100_000),
        ("lock", '{"kind": "passphrase", "scrypt": {"n": 4611686018427387904, "r": 8, "p": 1}}'),
    ],
)
def test_a_header_that_nobody_wrote_is_refused(sqlite_path: Path, key: str, value: str) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", [template(1)], SPACE)
        gallery._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def use() -> None:
        with SqliteGallery(sqlite_path, secret=lambda: SECRET) as gallery:
            gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=2)

    with pytest.raises(StorageError, match="damaged"):
        use()
