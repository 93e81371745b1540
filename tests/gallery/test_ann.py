"""The approximate index beside an SQLite gallery proposes; what it proposes is compared exactly."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path

import pytest

from facekit.enums import PersonRule
from facekit.gallery.search.approximate import index_paths
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from tests.gallery.made_up import SPACE, face_of, templates

usearch = pytest.importorskip("usearch.index", reason="pip install '.[ann]'")
PEOPLE = 150


@pytest.fixture
def path(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery that has an index.

    It is made by one thread.  Several race for links, and may leave out half a dozen templates:
    nothing of a million, but 2 % of these.
    """
    monkeypatch.setattr(usearch.Index, "add", partialmethod(usearch.Index.add, threads=1))
    monkeypatch.setattr(sqlite_search, "INDEX_FROM", 100)
    with SqliteGallery(sqlite_path) as gallery:
        for person in range(PEOPLE):
            gallery.add(f"P{person}", templates(person, 2), SPACE)
        assert gallery.refresh_index()
        assert not gallery.refresh_index()  # it is there
    return sqlite_path


def best(gallery: SqliteGallery, person: int) -> tuple[str, float]:
    query = face_of(person, 9)[None]
    ((found,),) = gallery.rank(query, SPACE, rule=PersonRule.BEST, top=1)
    return found.name, found.similarity


def test_it_is_used_and_agrees_with_exact_search(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exact(_self: object, _dimension: int) -> None:
        pytest.fail("the index was not used")

    queries = [face_of(person, 9) for person in range(0, PEOPLE, 10)]
    with SqliteGallery(path) as gallery:
        for path_of_index in index_paths(path):
            assert path_of_index.stat().st_mode & 0o777 == 0o600
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_search.SqliteSearch, "exact", exact)
            quick = [gallery.rank(q[None], SPACE, rule=PersonRule.BEST, top=3) for q in queries]
    for file in index_paths(path):
        file.unlink()
    with SqliteGallery(path) as gallery:
        slow = [gallery.rank(q[None], SPACE, rule=PersonRule.BEST, top=3) for q in queries]
    assert quick == slow


def test_recall_is_measured_against_exact_search(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteGallery(path) as gallery:
        assert gallery.recall_at_1() == 1.0
        assert gallery.check() == []
        monkeypatch.setattr(sqlite_search, "_PROPOSALS", 1)  # the template that is asked for
        assert gallery.recall_at_1() == 0.0
        (fault,) = gallery.check()
    assert fault.startswith("The approximate index finds 0.0% of the nearest templates")


def test_a_small_gallery_has_none(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        assert not gallery.refresh_index()
        assert gallery.recall_at_1() is None


def test_later_templates_are_found_beside_it_and_many_make_it_anew(path: Path) -> None:
    with SqliteGallery(path) as gallery:
        gallery.add("Late", templates(500, 2), SPACE)
        assert best(gallery, 500)[0] == "Late"
        assert not gallery.refresh_index()
        for person in range(600, 620):
            gallery.add(f"P{person}", templates(person, 2), SPACE)
        assert gallery.refresh_index()
        assert best(gallery, 610)[0] == "P610"


def test_who_is_removed_is_not_found_and_the_index_goes(path: Path) -> None:
    copies = [file.read_bytes() for file in index_paths(path)]
    with SqliteGallery(path) as gallery:
        assert best(gallery, 7)[0] == "P7"
        gallery.remove("P7")
        assert not any(file.exists() for file in index_paths(path))
        assert best(gallery, 7)[0] != "P7"
    for file, copy in zip(index_paths(path), copies, strict=True):  # as a kill may leave it
        file.write_bytes(copy)
    with SqliteGallery(path) as gallery:
        assert best(gallery, 7)[0] != "P7"


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_a_truncated_one_is_not_used(path: Path, length: int) -> None:
    index, _ = index_paths(path)
    index.write_bytes(index.read_bytes()[:length])
    with SqliteGallery(path) as gallery:
        assert best(gallery, 7)[0] == "P7"
        assert gallery.refresh_index()


def test_an_encrypted_gallery_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facekit.gallery.sqlite.encryption import passphrase

    monkeypatch.setattr(sqlite_search, "INDEX_FROM", 1)
    path, secret = tmp_path / "locked.db", passphrase("x")
    create_sqlite(path, secret=secret)
    with SqliteGallery(path, secret=lambda: secret) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        assert not gallery.refresh_index()
