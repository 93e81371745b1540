"""What every kind of gallery does alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import PersonRule, VectorType
from facekit.errors import ModelMismatchError, StorageError, UsageError
from facekit.gallery.gallery import Gallery
from facekit.gallery.postgres.gallery import PostgresGallery
from facekit.gallery.records import Template
from facekit.gallery.sqlite.gallery import SqliteGallery
from facekit.template.match import centered
from facekit.template.space import TemplateSpace, mean_sha256_of
from facekit.types import Float32Array
from tests.gallery.conftest import OpenGallery
from tests.gallery.made_up import OTHER_MODEL, SIZE, SPACE, face_of, template, templates

HALF = 2e-3  # float16 has 11 bits


def test_an_empty_gallery_knows_nobody(gallery: Gallery) -> None:
    assert gallery.people() == []
    assert gallery.person("Ada") is None
    assert list(gallery.templates()) == []
    assert gallery.remove("Ada") == 0
    assert gallery.rename("Ada", "Eve") is False
    query = face_of(1)[np.newaxis]
    assert gallery.rank(query, SPACE, rule=PersonRule.BEST, top=5) == [[]]
    assert gallery.info().space is None
    assert gallery.check() == []


def test_what_is_enrolled_comes_back(gallery: Gallery) -> None:
    assert gallery.add("Ada", templates(1), SPACE) == 3
    back = list(gallery.templates("Ada"))
    assert [name for name, _ in back] == ["Ada"] * 3
    for (_, got), wanted in zip(back, templates(1), strict=True):
        assert got.photo == wanted.photo
        assert got.photo_sha256 == wanted.photo_sha256
        assert got.box_xyxy == wanted.box_xyxy
        assert got.score == wanted.score
        assert got.enrolled_at == wanted.enrolled_at
        np.testing.assert_allclose(got.vector, wanted.vector, atol=HALF)
    info = gallery.info()
    assert (info.space, info.people_count, info.template_count) == (SPACE, 1, 3)
    assert gallery.photo_hashes("Ada") == {one.photo_sha256 for one in templates(1)}


def test_it_is_still_there_for_another_process(gallery: Gallery, open_gallery: OpenGallery) -> None:
    gallery.add("Ada", templates(1), SPACE)
    with open_gallery() as other:
        assert [person.name for person in other.people()] == ["Ada"]
        other.add("Eve", templates(2), SPACE)
    assert [person.name for person in gallery.people()] == ["Ada", "Eve"]


def test_a_photo_counts_once_a_person(gallery: Gallery) -> None:
    assert gallery.add("Ada", templates(1, 2), SPACE) == 2
    assert gallery.add("Ada", templates(1, 3), SPACE) == 1
    assert gallery.add("Eve", templates(1, 1), SPACE) == 1
    assert gallery.person("Ada").template_count == 3  # type: ignore[union-attr]  # None would fail too


def test_another_model_is_refused_and_nothing_is_enrolled(gallery: Gallery) -> None:
    gallery.add("Ada", templates(1), SPACE)
    with pytest.raises(ModelMismatchError, match="cannot be compared"):
        gallery.add("Eve", templates(2), OTHER_MODEL)
    with pytest.raises(ModelMismatchError, match=r"made-up:int8"):
        gallery.rank(face_of(1)[np.newaxis], OTHER_MODEL, rule=PersonRule.BEST, top=1)
    assert [person.name for person in gallery.people()] == ["Ada"]


@pytest.mark.parametrize("rule", PersonRule)
def test_ranking_equals_numpy_written_out(gallery: Gallery, rule: PersonRule) -> None:
    for person in range(20):
        gallery.add(f"P{person}", templates(person, 1 + person % 4), SPACE)
    queries = np.stack([face_of(3, 9), face_of(99)])
    for query, got in zip(queries, gallery.rank(queries, SPACE, rule=rule, top=6), strict=True):
        scores = {}
        for person in range(20):
            vectors = np.stack([one.vector for one in templates(person, 1 + person % 4)])
            mean = vectors.mean(axis=0)
            scores[f"P{person}"] = (
                float((vectors @ query).max())
                if rule is PersonRule.BEST
                else float(mean @ query / np.linalg.norm(mean))
            )
        best = sorted(scores, key=lambda name: -scores[name])[:6]
        assert [candidate.name for candidate in got] == best
        for candidate in got:
            assert candidate.similarity == pytest.approx(scores[candidate.name], abs=HALF)
            assert candidate.template_count == 1 + int(candidate.name[1:]) % 4


def test_ranking_follows_every_change(gallery: Gallery, open_gallery: OpenGallery) -> None:
    def best() -> list[str]:
        (found,) = gallery.rank(face_of(1, 7)[np.newaxis], SPACE, rule=PersonRule.BEST, top=1)
        return [candidate.name for candidate in found]

    with open_gallery() as other:
        other.add("Bob", templates(2), SPACE)
        assert best() == ["Bob"]
        other.add("Ada", templates(1), SPACE)
        assert best() == ["Ada"]
        other.rename("Ada", "Eve")
        assert best() == ["Eve"]
        other.remove("Eve")
        assert best() == ["Bob"]
        other.add("Ada", templates(1), SPACE)
        assert best() == ["Ada"]


def test_remove_forgets_one_and_no_other(gallery: Gallery) -> None:
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("Eve", templates(2), SPACE)
    assert gallery.remove("Ada") == 3
    assert gallery.person("Ada") is None
    assert len(list(gallery.templates())) == 3
    assert gallery.check() == []


def test_rename_keeps_the_templates(gallery: Gallery) -> None:
    gallery.add("Ada", templates(1), SPACE)
    assert gallery.rename("Ada", " Eve ")
    assert len(list(gallery.templates("Eve"))) == 3
    gallery.add("Ada", templates(2), SPACE)
    with pytest.raises(UsageError, match="enrolled already"):
        gallery.rename("Ada", "Eve")
    assert gallery.rename("Ada", "Ada")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_must_be_one_that_can_be_listed(gallery: Gallery, name: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        gallery.add(name, templates(1), SPACE)


def test_names_of_all_the_world(gallery: Gallery) -> None:
    for index, name in enumerate(("Žofie Nováková", "李小龍", "O'Brien; DROP TABLE person")):
        gallery.add(name, [template(index)], SPACE)
        assert gallery.person(name) is not None


def test_a_failure_in_the_middle_leaves_nothing(gallery: Gallery) -> None:
    gallery.add("Ada", templates(1), SPACE)
    broken = template(2, 1)
    object.__setattr__(broken, "photo", None)  # which no store takes
    with pytest.raises(StorageError):
        gallery.add("Eve", [template(2), broken], SPACE)
    assert gallery.person("Eve") is None
    assert gallery.check() == []


@pytest.mark.parametrize(
    "use",
    [
        lambda gallery: gallery.merge("Ada", "Eve"),
        lambda gallery: gallery.merge("Byron", "Ada"),
        lambda gallery: gallery.unmerge("Ada", "Zoe"),
        lambda gallery: gallery.rename("Ada", "Ada L."),
        lambda gallery: gallery.add("Ada", templates(4), SPACE),
    ],
    ids=["merged into", "merged", "merge undone", "renamed", "enrolled"],
)
def test_names_that_were_exchanged_get_no_seal_that_fits(
    gallery: Gallery, use: Callable[[Gallery], object]
) -> None:
    for number, name in enumerate(("Ada", "Eve", "Byron", "Zoe")):
        gallery.add(name, templates(number), SPACE)
    gallery.merge("Ada", "Zoe")
    exchange_names(gallery, "Ada", "Eve")
    faults = gallery.check()
    assert len(faults) == 2
    with pytest.raises(StorageError, match="was changed or moved"):
        use(gallery)
    assert gallery.check() == faults
    assert [gallery.remove(name) for name in ("Ada", "Eve")] == [3, 6]
    assert gallery.check() == []


def exchange_names(gallery: Gallery, one: str, other: str) -> None:
    assert isinstance(gallery, (SqliteGallery, PostgresGallery))
    is_server = isinstance(gallery, PostgresGallery)
    for old, new in ((one, "?"), (other, one), ("?", other)):
        gallery._connection.execute(
            f"UPDATE {'facekit_gallery.' * is_server}person SET name = '{new}' WHERE name = '{old}'"
        )


def test_one_person_is_found_without_reading_all(sqlite_path: Path) -> None:
    asked = list[str]()
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery._connection.set_trace_callback(asked.append)
        assert gallery.person("Ada") is not None
        gallery._connection.set_trace_callback(None)
        (query,) = [statement for statement in asked if "FROM person" in statement]
        plan = gallery._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert "SEARCH person" in str(plan)
    assert "SCAN" not in str(plan)


class TestRecenter:
    """Templates about another mean embedding, without photos."""

    MEAN = np.full(SIZE, 0.03, np.float32)
    OTHER = np.linspace(-0.05, 0.05, SIZE, dtype=np.float32)

    @staticmethod
    def about(mean: Float32Array | None) -> TemplateSpace:
        return replace(SPACE, mean_sha256=mean_sha256_of(mean))

    @staticmethod
    def centered_templates(
        person: int, mean: Float32Array | None, count: int = 3
    ) -> list[Template]:
        return [
            replace(one, vector=centered(one.vector[None], mean)[0])
            for one in templates(person, count)
        ]

    @pytest.mark.parametrize(("old", "new"), [(None, MEAN), (MEAN, None), (MEAN, OTHER)])
    def test_they_are_as_if_enrolled_anew(
        self, gallery: Gallery, old: Float32Array | None, new: Float32Array | None
    ) -> None:
        for person in range(5):
            gallery.add(
                f"P{person}", self.centered_templates(person, old), self.about(old), mean=old
            )
        before = [(name, one.photo, one.photo_sha256) for name, one in gallery.templates()]
        half = gallery.info().vector_type is VectorType.FLOAT16
        assert gallery.recenter(new, self.about(new)) == 15
        for person in range(5):
            found = np.stack([one.vector for _, one in gallery.templates(f"P{person}")])
            anew = np.stack([one.vector for one in self.centered_templates(person, new)])
            np.testing.assert_allclose(found, anew, atol=1e-3 if half else 1e-6)
        assert before == [(name, one.photo, one.photo_sha256) for name, one in gallery.templates()]
        assert gallery.info().space == self.about(new)
        stored = gallery.mean()
        assert (stored is None) == (new is None)
        if stored is not None and new is not None:
            np.testing.assert_array_equal(stored, new)
        assert gallery.check() == []
        assert gallery.recenter(new, self.about(new)) == 0
        assert gallery.add("Eve", self.centered_templates(9, new), self.about(new), mean=new) == 3

    def test_other_connections_see_it_at_once(
        self, gallery: Gallery, open_gallery: OpenGallery
    ) -> None:
        """What they keep of the search is of the templates before."""
        with open_gallery() as other:
            gallery.add("Ada", templates(1), SPACE)
            gallery.add("Eve", templates(2), SPACE)
            query = face_of(1, 7)[np.newaxis]
            other.rank(query, SPACE, rule=PersonRule.BEST, top=1)
            gallery.recenter(self.MEAN, self.about(self.MEAN))
            with pytest.raises(ModelMismatchError, match=r"embedding mean.*gallery recenter"):
                other.rank(query, SPACE, rule=PersonRule.BEST, top=1)
            moved = centered(query, self.MEAN)
            (found,) = other.rank(moved, self.about(self.MEAN), rule=PersonRule.BEST, top=1)
            best = max(
                float(one.vector @ moved[0]) for one in self.centered_templates(1, self.MEAN)
            )
            assert found[0].name == "Ada"
            assert found[0].similarity == pytest.approx(best, abs=2e-3)

    def test_more_than_another_mean_is_refused_and_changes_nothing(self, gallery: Gallery) -> None:
        gallery.add("Ada", templates(1), SPACE)
        wanted = replace(self.about(self.MEAN), model_sha256="12" * 32)
        with pytest.raises(ModelMismatchError, match="model file"):
            gallery.recenter(self.MEAN, wanted)
        assert gallery.info().space == SPACE

    def test_a_mean_that_the_space_does_not_name_is_a_mistake(self, gallery: Gallery) -> None:
        gallery.add("Ada", templates(1), SPACE)
        with pytest.raises(ValueError, match="mean"):
            gallery.recenter(self.OTHER, self.about(self.MEAN))
        assert gallery.info().space == SPACE
        (first, *_) = [one.vector for _, one in gallery.templates()]
        np.testing.assert_allclose(first, templates(1)[0].vector, atol=1e-3)

    def test_an_empty_gallery_has_nothing_to_bring_over(self, gallery: Gallery) -> None:
        assert gallery.recenter(self.MEAN, self.about(self.MEAN)) == 0
        assert gallery.mean() is None
