"""One person under two names: merged, told of, undone; in every kind of gallery."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facekit.enums import PersonRule
from facekit.errors import StorageError, UsageError
from facekit.gallery import open as opening
from facekit.gallery.gallery import Gallery
from facekit.gallery.postgres.gallery import create_postgres
from facekit.gallery.records import Template
from facekit.gallery.search.cache import cache_path
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.encryption import passphrase
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.gallery.transfer import export_gallery, import_gallery
from tests.gallery.conftest import OpenGallery
from tests.gallery.made_up import SPACE, face_of, template, templates

ROOT = Path(__file__).parents[2]
State: TypeAlias = Mapping[str, object]


def state(gallery: Gallery) -> State:
    """Everything that can be known of a gallery's people, vectors included."""
    assert gallery.check() == []
    found: dict[str, object] = {}
    for person in gallery.people():
        held = {
            (one.photo, one.photo_sha256, one.box_xyxy, one.score, one.enrolled_at): (
                one.vector.tobytes()
            )
            for _, one in gallery.templates(person.name)
        }
        assert len(held) == person.template_count
        found[person.name] = (person.enrolled_at, held, gallery.merges(person.name))
    return found


def best(gallery: Gallery, person: int, rule: PersonRule = PersonRule.BEST) -> str:
    ((found, *_),) = gallery.rank(face_of(person, 8)[None], SPACE, rule=rule, top=2)
    return found.name


def of_another_face(photo: Template) -> Template:
    """Another face of the same photo, as of a group of two people."""
    return replace(photo, vector=face_of(77), box_xyxy=(50.0, 2.0, 90.0, 40.0))


@pytest.mark.parametrize("rule", list(PersonRule))
def test_all_templates_go_to_one_name_and_the_other_is_gone(
    gallery: Gallery, rule: PersonRule
) -> None:
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("Byron", templates(2, 2), SPACE)
    assert best(gallery, 2, rule) == "Byron"
    done = gallery.merge("Ada", "Byron")
    assert done is not None
    assert (done.name, len(done.moved), len(done.shared)) == ("Byron", 2, 0)
    assert [(person.name, person.template_count) for person in gallery.people()] == [("Ada", 5)]
    assert gallery.person("Byron") is None
    assert [one.photo for _, one in gallery.templates("Ada")] == [
        *(f"1_{n}.jpg" for n in range(3)),
        *(f"2_{n}.jpg" for n in range(2)),
    ]
    assert best(gallery, 1, rule) == best(gallery, 2, rule) == "Ada"
    assert gallery.merges("Ada") == gallery.merges() == [done]
    assert gallery.check() == []


def test_another_connection_searches_what_is_merged(
    gallery: Gallery, open_gallery: OpenGallery
) -> None:
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("Byron", templates(2), SPACE)
    with open_gallery() as other:
        assert best(other, 2) == "Byron"
        gallery.merge("Ada", "Byron")
        assert best(other, 2) == "Ada"
        other.unmerge("Ada", "Byron")
    assert best(gallery, 2) == "Byron"


def test_a_photo_that_both_have_counts_once_and_comes_back_as_it_was(gallery: Gallery) -> None:
    shared = template(1, 0)
    gallery.add("Ada", [shared, template(1, 1)], SPACE)
    gallery.add("Byron", [of_another_face(shared), template(2, 1)], SPACE)
    before = state(gallery)
    done = gallery.merge("Ada", "Byron")
    assert done is not None
    assert done.shared == {shared.photo_sha256}
    assert len(done.moved) == 1
    (kept,) = [one for _, one in gallery.templates("Ada") if one.photo == shared.photo]
    np.testing.assert_allclose(kept.vector, shared.vector, atol=1e-3)
    assert gallery.info().template_count == 3
    assert gallery.unmerge("Ada", "Byron") == done
    assert state(gallery) == before


def test_what_was_enrolled_since_stays(gallery: Gallery) -> None:
    gallery.add("Ada", templates(1, 1), SPACE)
    gallery.add("Byron", templates(2, 1), SPACE)
    gallery.merge("Ada", "Byron")
    assert gallery.add("Ada", [template(2, 0), template(2, 5)], SPACE) == 1
    gallery.rename("Ada", "Ada Lovelace")
    gallery.unmerge("Ada Lovelace", "Byron")
    assert [one.photo for _, one in gallery.templates("Ada Lovelace")] == ["1_0.jpg", "2_5.jpg"]
    assert [one.photo for _, one in gallery.templates("Byron")] == ["2_0.jpg"]


def test_nobody_of_a_name_and_one_name_twice(gallery: Gallery) -> None:
    assert gallery.merge("Ada", "Byron") is None
    gallery.add("Ada", templates(1), SPACE)
    before = state(gallery)
    assert gallery.merge("Ada", "Byron") is gallery.merge("Byron", "Ada") is None
    assert gallery.unmerge("Ada", "Byron") is gallery.unmerge("Byron", "Ada") is None
    with pytest.raises(UsageError, match="two names are needed"):
        gallery.merge("Ada", "Ada")
    assert state(gallery) == before


def test_undoing_does_not_take_a_name_that_somebody_has(gallery: Gallery) -> None:
    for name, person in (("Ada", 1), ("Byron", 2)):
        gallery.add(name, templates(person), SPACE)
    gallery.merge("Ada", "Byron")
    gallery.add("Byron", templates(3), SPACE)
    before = state(gallery)
    with pytest.raises(UsageError, match="called Byron meanwhile"):
        gallery.unmerge("Ada", "Byron")
    assert state(gallery) == before
    gallery.merge("Ada", "Byron")
    assert [one.name for one in gallery.merges("Ada")] == ["Byron", "Byron"]
    gallery.unmerge("Ada", "Byron")  # the latest
    assert best(gallery, 3) == "Byron"
    assert best(gallery, 2) == "Ada"


def test_who_was_merged_before_comes_back_with_the_one_in_between(gallery: Gallery) -> None:
    shared = template(3, 0)
    gallery.add("Ada", [template(1, 0), shared], SPACE)
    gallery.add("Byron", [template(2, 0)], SPACE)
    gallery.add("King", [shared, template(3, 1)], SPACE)
    first = state(gallery)
    gallery.merge("Byron", "King")
    second = state(gallery)
    gallery.merge("Ada", "Byron")
    assert [one.name for one in gallery.merges("Ada")] == ["Byron"]
    assert gallery.unmerge("Ada", "King") is None
    gallery.unmerge("Ada", "Byron")
    assert state(gallery) == second
    gallery.unmerge("Byron", "King")
    assert state(gallery) == first


def test_a_photo_of_two_merged_people_stays_while_one_of_them_is_merged(gallery: Gallery) -> None:
    shared = template(9, 0)
    gallery.add("Ada", templates(1, 1), SPACE)
    gallery.add("Byron", [shared, template(2, 1)], SPACE)
    gallery.add("King", [shared, template(3, 1)], SPACE)
    before = state(gallery)
    gallery.merge("Ada", "Byron")
    gallery.merge("Ada", "King")
    gallery.unmerge("Ada", "Byron")
    assert shared.photo_sha256 in gallery.photo_hashes("Ada")
    assert gallery.check() == []
    gallery.unmerge("Ada", "King")
    assert state(gallery) == before


def test_removing_a_person_forgets_who_was_merged(gallery: Gallery) -> None:
    shared = template(1, 0)
    gallery.add("Ada", [shared], SPACE)
    gallery.add("Byron", [shared, template(2, 1)], SPACE)
    gallery.add("Eve", templates(5), SPACE)
    gallery.merge("Ada", "Byron")
    assert gallery.remove("Ada") == 2
    assert gallery.merges() == []
    assert gallery.unmerge("Ada", "Byron") is None
    assert [person.name for person in gallery.people()] == ["Eve"]
    assert gallery.check() == []


def test_an_export_holds_the_people_as_they_are_and_no_merge(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("Byron", [template(1, 0), template(2, 1)], SPACE)
    gallery.merge("Ada", "Byron")
    file, path = tmp_path / "people.jsonl", tmp_path / "copy.db"
    assert export_gallery(gallery, file) == 4
    create_sqlite(path)
    with SqliteGallery(path) as copy:
        assert import_gallery(copy, file) == (4, 4)
        assert [(person.name, person.template_count) for person in copy.people()] == [("Ada", 4)]
        assert copy.merges() == []
        assert copy.check() == []


def test_who_enrolls_while_others_merge_loses_nothing(
    gallery: Gallery, open_gallery: OpenGallery
) -> None:
    """One connection enrolls both people while another merges and undoes it."""
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("Byron", templates(2), SPACE)
    merging = Event()

    def enroll() -> None:
        with open_gallery() as mine:
            merging.wait()
            for number in range(10, 30):
                mine.add("Byron", [template(2, number)], SPACE)
                mine.add("Ada", [template(1, number)], SPACE)

    with ThreadPoolExecutor(1) as pool:
        enrolling = pool.submit(enroll)
        while not enrolling.done():
            gallery.merge("Ada", "Byron")
            merging.set()
            with suppress(UsageError):  # there may be another Byron by then
                gallery.unmerge("Ada", "Byron")
            # SQLite hands its lock to whoever asks first: without a pause the other may starve.
            wait([enrolling], timeout=0.01)
        enrolling.result()
    assert gallery.check() == []
    found = sorted(one.photo for _, one in gallery.templates())
    numbers = [*range(3), *range(10, 30)]
    assert found == sorted(f"{person}_{number}.jpg" for person in (1, 2) for number in numbers)


PEOPLE = "ABCDE"
STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=12
)
PHOTOS = st.lists(
    st.sets(st.integers(0, 3), min_size=1), min_size=len(PEOPLE), max_size=len(PEOPLE)
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, photos=PHOTOS)
def test_any_merges_undone_from_the_last_to_the_first_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    steps: Sequence[tuple[bool, str, str]],
    photos: Sequence[set[int]],
) -> None:
    """Merges and undoings in any order; undoing what is left brings everybody back."""
    path = tmp_path_factory.mktemp("merge") / "people.db"
    create_sqlite(path)
    with SqliteGallery(path) as gallery:
        for number, name in enumerate(PEOPLE):
            faces = [
                replace(template(0, photo), vector=face_of(number, photo))
                for photo in photos[number]
            ]
            gallery.add(name, faces, SPACE)
        before = state(gallery)
        for is_merge, name, other in steps:
            if name != other:
                (gallery.merge if is_merge else gallery.unmerge)(name, other)
                assert gallery.check() == []
        while gallery.merges():
            for person in gallery.people():
                for merged in reversed(gallery.merges(person.name)):
                    gallery.unmerge(person.name, merged.name)
        assert state(gallery) == before


class TestSqlite:
    def test_the_file_of_vectors_follows(
        self, sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_search, "CACHE_FROM", 2)
        with SqliteGallery(sqlite_path) as gallery:
            gallery.add("Ada", templates(1), SPACE)
            gallery.add("Byron", [template(1, 0), *templates(2)], SPACE)
            for merge in (False, True, False):
                if merge:
                    gallery.merge("Ada", "Byron")
                elif gallery.merges():
                    gallery.unmerge("Ada", "Byron")
                assert best(gallery, 2) == ("Ada" if merge else "Byron")
                assert cache_path(sqlite_path).exists()
                assert gallery.check() == []

    def test_removal_leaves_no_byte_of_a_spare_template(self, sqlite_path: Path) -> None:
        spare = of_another_face(template(1, 0))
        with SqliteGallery(sqlite_path) as gallery:
            gallery.add("Ada", templates(1), SPACE)
            gallery.add("Byron", [spare], SPACE)
            gallery.merge("Ada", "Byron")
            gallery.remove("Ada")
        for path in sqlite_path.parent.iterdir():
            assert spare.vector.tobytes()[:32] not in path.read_bytes()

    def test_another_key_keeps_what_a_merge_put_aside(self, tmp_path: Path) -> None:
        path, old, new = tmp_path / "people.db", passphrase("old"), passphrase("new")
        create_sqlite(path, secret=old)
        with SqliteGallery(path, secret=lambda: old) as gallery:
            gallery.add("Ada", templates(1), SPACE)
            gallery.add("Byron", [template(1, 0), template(2, 1)], SPACE)
            before = state(gallery)
            gallery.merge("Ada", "Byron")
            gallery.rekey(new)
            assert gallery.check() == []
        with SqliteGallery(path, secret=lambda: new) as gallery:
            gallery.unmerge("Ada", "Byron")
            assert state(gallery) == before

    def test_check_finds_a_damaged_spare_and_a_template_that_went_astray(
        self, sqlite_path: Path
    ) -> None:
        with SqliteGallery(sqlite_path) as gallery:
            gallery.add("Ada", templates(1), SPACE)
            gallery.add("Byron", [template(1, 0), template(2, 1)], SPACE)
            gallery.add("Eve", templates(5), SPACE)
            gallery.merge("Ada", "Byron")
            gallery._connection.execute("UPDATE spare_template SET vector = x'00'")
            gallery._connection.execute(
                "UPDATE template SET person_id = (SELECT person_id FROM person WHERE name = 'Eve') "
                "WHERE photo = '2_1.jpg'"
            )
            assert gallery.check() == [
                "A template of Byron, who was merged into somebody, is not where it was moved to.",
                "The template of Eve from 2_1.jpg: a vector has another checksum: it was changed "
                "or moved.",
                "The template of Byron from 1_0.jpg: a vector has another checksum: it was changed "
                "or moved.",
            ]

    def test_kill_9_in_the_middle_leaves_all_or_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "people.db"
        create_sqlite(path)
        assert_all_or_nothing(str(path), kills=8)


def test_kill_9_leaves_all_or_nothing_in_postgres(postgres_url: str) -> None:
    create_postgres(postgres_url)
    assert_all_or_nothing(postgres_url, kills=4)


def assert_all_or_nothing(url: str, *, kills: int) -> None:
    """A process merges and undoes it without an end; after kill -9 it is one or the other."""
    rng = random.Random(7)
    with opening.open_gallery(url) as gallery:
        gallery.add("Ada", templates(1, 40), SPACE)
        gallery.add("Byron", [*templates(1, 5), *templates(2, 40)], SPACE)
        apart = state(gallery)
        gallery.merge("Ada", "Byron")
        together = people_of(gallery)
        gallery.unmerge("Ada", "Byron")
        assert state(gallery) == apart
    command = [sys.executable, "-m", "tests.gallery.merging_process", url, "Ada", "Byron"]
    for _ in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "merging\n"
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        with opening.open_gallery(url) as gallery:
            if gallery.merges():
                assert people_of(gallery) == together
                assert gallery.check() == []
                gallery.unmerge("Ada", "Byron")
            assert state(gallery) == apart


def people_of(gallery: Gallery) -> dict[str, int]:
    return {person.name: person.template_count for person in gallery.people()}


def test_a_merge_that_fails_in_the_middle_changes_nothing(sqlite_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Byron", [template(1, 0), *templates(2)], SPACE)
        before = people_of(gallery)
        gallery._connection.execute("UPDATE template SET vector = x'00' WHERE photo = '2_2.jpg'")
        with pytest.raises(StorageError, match="damaged"):
            gallery.merge("Ada", "Byron")
        assert people_of(gallery) == before
        assert gallery.merges() == []
