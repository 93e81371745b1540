"""Killed, full, locked, truncated, crowded: nothing told of is lost, nothing is half there."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import PersonRule
from facekit.errors import StorageError
from facekit.gallery.open import open_gallery
from facekit.gallery.search.cache import cache_path
from facekit.gallery.search.exact import VectorTable
from facekit.gallery.sqlite import file as sqlite_file
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from tests.gallery.enrolling_process import A_ROUND, TEMPLATES, kill_while_enrolling, start
from tests.gallery.made_up import SPACE, face_of, template, templates


def assert_whole(path: Path, told: list[str]) -> int:
    """Everybody told of is there with every template, nobody has a part; the number of people."""
    with open_gallery(str(path)) as gallery:
        assert gallery.check() == []
        people = gallery.people()
    assert {person.template_count for person in people} <= {TEMPLATES}
    assert set(told) <= {person.name for person in people}
    return len(people)


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments_loses_nothing(tmp_path: Path, kills: int) -> None:
    path, rng = tmp_path / "people.db", random.Random(5)
    told: list[str] = []
    for turn in range(kills):
        told += kill_while_enrolling(
            path, turn * A_ROUND, rng.uniform(0, 0.15), tmp_path / "told.txt"
        )
        enrolled = assert_whole(path, told)
        assert enrolled <= len(told) + turn + 1  # at most one a turn was not told of yet
    assert sorted(os.listdir(tmp_path)) == ["people.db"]


def test_kill_9_while_the_gallery_is_made(tmp_path: Path) -> None:
    """Whatever the moment, the next process finds a whole gallery or none."""
    for turn in range(5):
        folder = tmp_path / str(turn)
        process = start(folder / "people.db", 0, 10_000)
        while not folder.exists() or not os.listdir(folder):
            time.sleep(0.001)
        process.kill()
        process.communicate()
        with open_gallery(str(folder / "people.db"), create=True) as gallery:
            assert gallery.check() == []


def test_two_enrolling_processes_lose_and_double_nothing(tmp_path: Path) -> None:
    """Both make the gallery, enroll the same people, and some of their own."""
    path = tmp_path / "people.db"
    processes = [start(path, 0, 40), start(path, 20, 60)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert assert_whole(path, [f"P{number}" for number in range(60)]) == 60


def test_a_locked_gallery_says_so_and_nothing_is_lost(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path, timeout_s=0.1) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match=r"locked\. Another process is writing"):
                gallery.add("Eve", templates(2), SPACE)
            (found,) = gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=1)
            assert found[0].name == "Ada"  # readers are not held up
        gallery.add("Eve", templates(2), SPACE)
    assert assert_whole(sqlite_path, ["Ada", "Eve"]) == 2


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


def test_no_room_ends_the_enrolment_and_keeps_who_is_in(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the quota: a write beyond it fails as on a full disk."""
    path = tmp_path / "people.db"
    process = start(path, 0, 10_000, before=limit_file_size)
    told, errors = process.communicate()
    assert process.returncode == 1
    assert "Nothing of this step was kept" in errors
    enrolled = assert_whole(path, told.split())
    assert 10 < enrolled == len(told.split())
    again = start(path, 0, enrolled + 5)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert assert_whole(path, told.split()) == enrolled + 5


def test_a_part_of_a_page_is_a_fault_unless_the_log_has_the_page(sqlite_path: Path) -> None:
    """A write into the file that finds no room leaves a part; the log is written again later."""
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        with sqlite_path.open("ab") as file:
            file.write(bytes(956))
        assert gallery.check() == []
    with sqlite_path.open("ab") as file:
        file.write(bytes(956))
    with SqliteGallery(sqlite_path) as gallery:
        assert gallery.check() == ["The file is truncated: 956 bytes of its last page are left."]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=520k", "none", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(["mount", *options], capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_whoever_was_enrolled(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        path = tmp_path / "disk" / "people.db"
        process = start(path, 0, 10_000)
        told, errors = process.communicate()
        assert process.returncode == 1
        assert "Nothing of this step was kept" in errors
        assert assert_whole(path, told.split()) == len(told.split()) > 5


def test_a_truncated_file_is_refused_or_found_out(sqlite_path: Path, tmp_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        for person in range(50):
            gallery.add(f"P{person}", templates(person), SPACE)
    whole = sqlite_path.read_bytes()
    copy = tmp_path / "copy.db"
    for length in (0, 1, 50, 512, 4096, 4097, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        copy.write_bytes(whole[:length])
        copy.chmod(0o600)
        assert found_out(copy), f"{length} of {len(whole)} bytes went unnoticed"


def found_out(path: Path) -> bool:
    try:
        with SqliteGallery(path) as gallery:
            return gallery.check() != []
    except StorageError as error:
        return str(path) in str(error)


def test_flipped_bytes_in_a_vector_are_found_out(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("UPDATE template SET vector = zeroblob(256) WHERE template_id = 2")
        connection.execute("UPDATE template SET vector = x'00' WHERE template_id = 3")
        connection.execute("INSERT INTO person VALUES (9, 'Eve', x'00', '')")
    with SqliteGallery(sqlite_path) as gallery:
        assert gallery.check() == [
            "The name 'Eve' was changed or moved.",
            "Eve is enrolled without a template.",
            "The template of Ada from 1_1.jpg: a vector has another checksum: it was changed or "
            "moved.",
            "The template of Ada from 1_2.jpg: a vector has another checksum: it was changed or "
            "moved.",
        ]


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 100, b"x"])
def test_a_file_that_is_none_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "people.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not a database"):
        SqliteGallery(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    with pytest.raises(StorageError, match="not a gallery"):
        SqliteGallery(path)


def test_no_gallery_names_the_commands_that_make_one(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="facekit enroll and facekit gallery init"):
        SqliteGallery(tmp_path / "none.db")


def test_only_the_owner_can_read_it(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_search, "CACHE_FROM", 2)
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=1)
        files = sorted(path.name for path in sqlite_path.parent.iterdir())
        assert files == ["people.db", "people.db-shm", "people.db-vectors", "people.db-wal"]
        for path in sqlite_path.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        sqlite_path.chmod(0o644)
        assert "others can read it" in gallery.check()[0]


def test_remove_leaves_no_byte_in_any_file(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_search, "CACHE_FROM", 2)

    def copies() -> set[str]:
        secret = template(1).vector.tobytes()[:32]
        return {path.name for path in sqlite_path.parent.iterdir() if secret in path.read_bytes()}

    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
        gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=1)
        assert copies() == {"people.db-wal", "people.db-vectors"}
        gallery.remove("Ada")
        assert copies() == set()
    assert copies() == set()


class TestCache:
    """The file of vectors beside a large gallery never changes an answer."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_search, "CACHE_FROM", 10)

    @staticmethod
    def best(path: Path, person: int) -> str:
        with SqliteGallery(path) as gallery:
            query = face_of(person, 8)[None]
            ((found,),) = gallery.rank(query, SPACE, rule=PersonRule.BEST, top=1)
            assert gallery.check() == []
            return found.name

    @pytest.fixture
    def path(self, sqlite_path: Path) -> Path:
        with SqliteGallery(sqlite_path) as gallery:
            for person in range(10):
                gallery.add(f"P{person}", templates(person), SPACE)
        assert self.best(sqlite_path, 4) == "P4"
        assert cache_path(sqlite_path).exists()
        return sqlite_path

    def test_it_is_used(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_search.SqliteSearch, "_read_after", _only_none_left)
        assert self.best(path, 4) == "P4"

    def test_later_templates_are_found_beside_it(self, path: Path) -> None:
        before = cache_path(path).stat().st_mtime_ns
        with SqliteGallery(path) as gallery:
            gallery.add("P11", templates(11), SPACE)
        assert self.best(path, 11) == "P11"
        assert cache_path(path).stat().st_mtime_ns == before

    def test_many_later_templates_are_taken_in(self, path: Path) -> None:
        before = cache_path(path).stat().st_size
        with SqliteGallery(path) as gallery:
            for person in range(20, 30):
                gallery.add(f"P{person}", templates(person), SPACE)
        assert self.best(path, 25) == "P25"
        assert cache_path(path).stat().st_size > before

    def test_removal_makes_it_stale(self, path: Path) -> None:
        copy = cache_path(path).read_bytes()
        with SqliteGallery(path) as gallery:
            gallery.remove("P4")
        cache_path(path).write_bytes(copy)  # as if a process had been killed in between
        assert self.best(path, 4) != "P4"

    @pytest.mark.parametrize("length", [0, 100, 4096, 5000])
    def test_a_truncated_one_is_made_anew(self, path: Path, length: int) -> None:
        whole = cache_path(path).read_bytes()
        cache_path(path).write_bytes(whole[:length])
        assert self.best(path, 4) == "P4"
        assert cache_path(path).read_bytes() == whole

    @pytest.mark.parametrize("offset", [-1, -64 * 30 - 2, 4096 + 16 * 30 + 7])
    def test_a_changed_code_scale_or_vector_is_found(self, path: Path, offset: int) -> None:
        content = bytearray(cache_path(path).read_bytes())
        content[offset] ^= 0x04
        cache_path(path).write_bytes(content)
        with SqliteGallery(path) as gallery:
            (fault,) = gallery.check()
        assert "Remove it" in fault

    def test_that_of_another_gallery_is_not_used(self, path: Path) -> None:
        other = path.with_name("other.db")
        create_sqlite(other)
        with SqliteGallery(other) as gallery:
            for person in range(50, 60):
                gallery.add(f"P{person}", templates(person), SPACE)
        shutil.copy(cache_path(path), cache_path(other))
        assert self.best(other, 54) == "P54"


def _only_none_left(self: object, last: int, dimension: int) -> object:
    assert last == 30, "the cache was not used"

    none = np.zeros(0, np.int64)
    return VectorTable(none, none, np.zeros((0, dimension), np.float32))


class TestMigration:
    """A made-up further schema version."""

    STEPS = (*sqlite_file.MIGRATIONS, "ALTER TABLE person ADD COLUMN note TEXT DEFAULT '';")

    def test_an_old_gallery_is_brought_up_with_its_people(self, sqlite_path: Path) -> None:
        with SqliteGallery(sqlite_path) as gallery:
            gallery.add("Ada", templates(1), SPACE)
        opened = sqlite_file.open_file(sqlite_path, timeout_s=1, migrations=self.STEPS)
        with closing(opened) as connection:
            assert sqlite_file.schema_version(connection) == len(self.STEPS)
            assert connection.execute("SELECT name, note FROM person").fetchall() == [("Ada", "")]

    def test_a_gallery_of_version_1_says_to_enroll_again(self, sqlite_path: Path) -> None:
        with closing(sqlite3.connect(sqlite_path)) as connection, connection:
            connection.execute("PRAGMA user_version = 1")
        with pytest.raises(StorageError, match=r"schema version 1.*Enroll the photos again"):
            SqliteGallery(sqlite_path)

    def test_a_newer_gallery_is_refused(self, sqlite_path: Path) -> None:
        sqlite_file.open_file(sqlite_path, timeout_s=1, migrations=self.STEPS).close()
        known = len(sqlite_file.MIGRATIONS)
        said = f"schema version {known + 1}; this facekit knows up to {known}"
        with pytest.raises(StorageError, match=said):
            SqliteGallery(sqlite_path)

    def test_a_step_that_fails_changes_nothing(self, sqlite_path: Path) -> None:
        steps = (*sqlite_file.MIGRATIONS, "CREATE TABLE extra (x); CREATE TABLE person (y);")
        with pytest.raises(StorageError, match="already exists"):
            sqlite_file.open_file(sqlite_path, timeout_s=1, migrations=steps)
        with SqliteGallery(sqlite_path) as gallery:
            assert gallery.info().schema_version == len(sqlite_file.MIGRATIONS)
            assert gallery.check() == []
