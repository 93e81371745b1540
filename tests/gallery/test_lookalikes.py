"""People who may be one person: every pair above the threshold, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from facekit.gallery import lookalikes
from facekit.gallery.gallery import Gallery
from facekit.gallery.lookalikes import find_lookalikes
from facekit.gallery.open import open_gallery
from tests.gallery.made_up import SPACE, face_of, templates

PEOPLE = {f"person {number}": templates(number) for number in range(8)}
PEOPLE["twin"] = templates(3, 4)[3:]  # another photo of person 3
PEOPLE["again"] = [replace(templates(5)[0], photo_sha256="cd" * 32)]


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with open_gallery(str(tmp_path / "people.db"), create=True) as opened:
        for name, own in PEOPLE.items():
            opened.add(name, own, SPACE)
        yield opened


def test_pairs_above_the_threshold_are_found_as_one_by_one(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookalikes, "_BATCH", 3)
    monkeypatch.setattr(lookalikes, "_NEAREST", len(PEOPLE))
    similarity = {
        pair: max(float(a.vector @ b.vector) for a in PEOPLE[pair[0]] for b in PEOPLE[pair[1]])
        for pair in combinations(sorted(PEOPLE), 2)
    }
    for threshold in (0.1, 0.5, 1.1):
        found = find_lookalikes(gallery, SPACE, threshold_similarity=threshold)
        scores = [one.similarity for one in found]
        assert scores == sorted(scores, reverse=True)
        expected = {pair: score for pair, score in similarity.items() if score >= threshold}
        assert {(one.name, one.other): one.similarity for one in found} == pytest.approx(
            expected, abs=1e-6
        )


def test_the_twins_are_found_and_nobody_else(gallery: Gallery) -> None:
    found = find_lookalikes(gallery, SPACE, threshold_similarity=0.5)
    assert [(one.name, one.other) for one in found] == [
        ("again", "person 5"),
        ("person 3", "twin"),
    ]
    assert found[0].similarity == pytest.approx(1, abs=1e-6)
    assert found[1].similarity == pytest.approx(
        max(float(face_of(3, 3) @ face_of(3, photo)) for photo in range(3)), abs=1e-6
    )


def test_one_person_is_compared_with_everybody(gallery: Gallery) -> None:
    found = find_lookalikes(gallery, SPACE, threshold_similarity=0.5, names=["twin", "person 1"])
    assert [(one.name, one.other) for one in found] == [("person 3", "twin")]
    assert find_lookalikes(gallery, SPACE, threshold_similarity=0.5, names=[]) == []


def test_an_empty_gallery_has_none(tmp_path: Path) -> None:
    with open_gallery(str(tmp_path / "empty.db"), create=True) as gallery:
        assert find_lookalikes(gallery, SPACE, threshold_similarity=0.5) == []
