"""Encrypted galleries: nothing readable on disk, wrong keys refused, moved templates refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import PersonRule
from facekit.errors import StorageError, UsageError
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.encryption import Secret, key_file, passphrase
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from tests.gallery.made_up import SPACE, face_of, template, templates

pytest.importorskip("cryptography", reason="pip install '.[encrypt]'")

SECRET = passphrase("correct horse")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    create_sqlite(path, secret=SECRET)
    with SqliteGallery(path, secret=lambda: SECRET) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
    return path


def opened(path: Path, secret: Secret | None = SECRET) -> SqliteGallery:
    return SqliteGallery(path, secret=lambda: secret)


def test_no_vector_is_on_disk_in_the_clear(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_search, "CACHE_FROM", 2)
    with opened(path) as gallery:
        gallery.add("Bob", templates(3), SPACE)
        gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=1)
        for file in path.parent.iterdir():
            content = file.read_bytes()
            for person in (1, 2, 3):
                assert template(person).vector.tobytes()[:12] not in content, file
        assert gallery.check() == []


def test_equal_vectors_do_not_look_equal(path: Path) -> None:
    with opened(path) as gallery:
        gallery.add("Twin", templates(1), SPACE)
    with closing(sqlite3.connect(path)) as connection:
        blobs = [blob for (blob,) in connection.execute("SELECT vector FROM template")]
    assert len(set(blobs)) == len(blobs) == 9


@pytest.mark.parametrize("secret", [passphrase("correct horsf"), Secret("passphrase", b"\0")])
def test_a_wrong_passphrase_is_refused(path: Path, secret: Secret) -> None:
    with pytest.raises(StorageError, match="does not unlock"):
        opened(path, secret)


def test_no_secret_and_one_of_another_kind(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is encrypted: pass --key-file"):
        opened(path, None)
    key = tmp_path / "a.key"
    key.write_bytes(bytes(32))
    with pytest.raises(StorageError, match="locked with a passphrase"):
        opened(path, key_file(key))


def test_a_template_moved_to_somebody_else_is_found_out(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE template SET vector = (SELECT vector FROM template WHERE template_id = 1) "
            "WHERE template_id = 4"
        )
    with opened(path) as gallery:
        assert gallery.check() == [
            "The template of Eve from 2_0.jpg: a vector does not decrypt: it was changed or moved."
        ]
        with pytest.raises(StorageError, match="does not decrypt"):
            gallery.rank(face_of(1)[None], SPACE, rule=PersonRule.BEST, top=1)


def test_rekey_locks_out_the_old_secret_and_keeps_the_people(path: Path, tmp_path: Path) -> None:
    key = tmp_path / "a.key"
    key.write_bytes(np.random.default_rng(1).bytes(32))
    with closing(sqlite3.connect(path)) as connection:
        before = {blob for (blob,) in connection.execute("SELECT vector FROM template")}
    with opened(path) as gallery, opened(path) as other:
        gallery.rekey(key_file(key))
        assert gallery.check() == []
        with pytest.raises(StorageError, match="rekeyed meanwhile"):
            other.add("Bob", templates(3), SPACE)
    with pytest.raises(StorageError, match="locked with a key-file"):
        opened(path)
    with opened(path, key_file(key)) as gallery:
        (found,) = gallery.rank(face_of(2, 9)[None], SPACE, rule=PersonRule.BEST, top=1)
        assert found[0].name == "Eve"
    content = path.read_bytes()
    assert not any(blob[:16] in content for blob in before)  # overwritten, not left in free pages


def test_a_plain_gallery_cannot_be_rekeyed(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery, pytest.raises(UsageError, match="not encrypted"):
        gallery.rekey(SECRET)


def test_secrets_that_are_none(tmp_path: Path) -> None:
    short = tmp_path / "short.key"
    short.write_bytes(b"1234")
    with pytest.raises(UsageError, match="4 bytes; 32 random ones"):
        key_file(short)
    with pytest.raises(UsageError, match=r"none\.key"):
        key_file(tmp_path / "none.key")
    with pytest.raises(UsageError, match="empty"):
        passphrase("")
    assert "horse" not in repr(SECRET)
