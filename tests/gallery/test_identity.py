"""The identity matrix: whatever two things meet, every field in which they differ is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.enums import PersonRule
from facekit.errors import ModelMismatchError, NoOperatingPointError
from facekit.gallery.identify import default_threshold
from facekit.gallery.search.cache import cache_path
from facekit.gallery.sqlite import search as sqlite_search
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.gallery.transfer import export_gallery, import_gallery
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.file import read_embeddings, write_embeddings
from facekit.template.match import centered
from facekit.template.space import TemplateSpace
from facekit.template.table import EmbeddingRow, EmbeddingTable
from facekit.template.threshold import card_threshold
from facekit.types import Float32Array
from tests.gallery.made_up import face_of, template
from tests.template.spaces import CHANGES, MEAN, OTHER_MEAN_SPACE, SPACE


@dataclass(frozen=True)
class Things:
    """One of each kind, all of one space."""

    space: TemplateSpace
    """of photos, as a pipeline embeds them"""
    mean: Float32Array | None
    vectors: Float32Array
    file: EmbeddingTable
    gallery: SqliteGallery
    export: Path
    calibration: Calibration


def things(folder: Path, space: TemplateSpace) -> Things:
    mean = MEAN if space.mean_sha256 else None
    vectors = centered(face_of(1, size=space.size)[None], mean)
    folder.mkdir()
    path = folder / "faces.jsonl"
    row = EmbeddingRow("a.jpg", "ab" * 32, 0, None, None, vectors[0])
    write_embeddings(path, EmbeddingTable(space, mean, (row,)))
    assert create_sqlite(folder / "people.db")
    gallery = SqliteGallery(folder / "people.db")
    enrolled = replace(template(1, size=16), vector=vectors[0])
    gallery.add("Ada", [enrolled], space, mean=mean)
    export_gallery(gallery, folder / "export.jsonl")
    point = OperatingPoint("fmr=1e-3", 0.5, 1e-3, 0.1, 9, 9, None, None, "p", "d")
    calibration = Calibration(mean, (point,), ((0.4, 1e-2), (0.5, 1e-3)), space=space)
    return Things(
        space, mean, vectors, read_embeddings(path), gallery, folder / "export.jsonl", calibration
    )


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Things]:
    made = things(tmp_path / "ours", SPACE)
    yield made
    made.gallery.close()


def rank(gallery: SqliteGallery, vectors: Float32Array, space: TemplateSpace) -> None:
    gallery.rank(vectors, space, rule=PersonRule.BEST, top=1)


REFUSED: dict[str, Callable[[Things, Things], Any]] = {
    "a photo is looked up in a gallery": lambda a, b: rank(a.gallery, b.vectors, b.space),
    "a photo is enrolled": lambda a, b: a.gallery.add(
        "Eve", [replace(template(2, size=16), vector=b.vectors[0])], b.space, mean=b.mean
    ),
    "a file's row is looked up in a gallery": lambda a, b: rank(
        a.gallery, b.file.vectors, b.file.space
    ),
    "a photo meets the card's thresholds": lambda a, b: card_threshold(a.calibration, b.space),
    "a file meets the card's thresholds": lambda a, b: card_threshold(a.calibration, b.file.space),
    "a gallery meets the card's thresholds": lambda a, b: default_threshold(
        a.calibration, b.gallery.info().space or b.space, comparisons=1
    ),
}
BROUGHT_OVER: dict[str, Callable[[Things, Things], Any]] = {
    "a file meets a photo": lambda a, b: a.file.vectors_in(b.space, b.mean, where="faces.jsonl"),
    "a file meets another file": lambda a, b: a.file.vectors_in(
        b.file.space, b.file.mean, where="faces.jsonl"
    ),
    "a gallery is imported into another": lambda a, b: import_gallery(a.gallery, b.export),
    "a gallery is recentered": lambda a, b: a.gallery.recenter(b.mean, b.space),
}


@pytest.mark.parametrize("meet", [*REFUSED, *BROUGHT_OVER])
@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_every_pair_and_every_field(
    ours: Things, tmp_path: Path, meet: str, change: dict[str, Any], field: str
) -> None:
    theirs = things(tmp_path / "theirs", replace(SPACE, **change))
    if field == "embedding mean" and meet in BROUGHT_OVER:
        BROUGHT_OVER[meet](ours, theirs)
    else:
        with pytest.raises((ModelMismatchError, NoOperatingPointError), match=field):
            (REFUSED | BROUGHT_OVER)[meet](ours, theirs)
    theirs.gallery.close()


@pytest.mark.parametrize("meet", [*REFUSED, *BROUGHT_OVER])
def test_things_of_one_space_meet(ours: Things, tmp_path: Path, meet: str) -> None:
    theirs = things(tmp_path / "theirs", SPACE)
    (REFUSED | BROUGHT_OVER)[meet](ours, theirs)
    theirs.gallery.close()


def test_another_mean_names_the_command(ours: Things, tmp_path: Path) -> None:
    theirs = things(tmp_path / "theirs", OTHER_MEAN_SPACE)
    with pytest.raises(ModelMismatchError, match="facekit gallery recenter"):
        rank(ours.gallery, theirs.vectors, theirs.space)
    theirs.gallery.close()


def test_what_is_brought_over_is_what_embedding_anew_gives(ours: Things, tmp_path: Path) -> None:
    theirs = things(tmp_path / "theirs", OTHER_MEAN_SPACE)
    moved = ours.file.vectors_in(theirs.space, theirs.mean, where="x")
    np.testing.assert_allclose(moved, theirs.vectors, atol=1e-6)
    assert import_gallery(ours.gallery, theirs.export) == (0, 1)  # the photo is there already
    (found,) = ours.gallery.rank(ours.vectors, ours.space, rule=PersonRule.BEST, top=1)
    assert found[0].similarity == pytest.approx(1, abs=1e-6)
    theirs.gallery.close()


def test_the_copy_of_the_vectors_beside_a_gallery_is_not_used_any_more(
    ours: Things, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_search, "CACHE_FROM", 1)
    theirs = things(tmp_path / "theirs", OTHER_MEAN_SPACE)
    rank(ours.gallery, ours.vectors, ours.space)
    assert cache_path(ours.gallery.path).exists()
    ours.gallery.recenter(theirs.mean, theirs.space)
    assert not cache_path(ours.gallery.path).exists()
    (found,) = ours.gallery.rank(theirs.vectors, theirs.space, rule=PersonRule.BEST, top=1)
    assert found[0].similarity == pytest.approx(1, abs=1e-6)
    theirs.gallery.close()
