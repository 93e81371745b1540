"""Export and import: everything comes back, between kinds of galleries too."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import InputError, ModelMismatchError, StorageError
from facekit.gallery.gallery import Gallery
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.gallery.transfer import export_gallery, import_gallery
from facekit.reporter import Item, Reporter
from facekit.template.space import mean_sha256_of
from tests.gallery.made_up import OTHER_MODEL, SIZE, SPACE, template, templates


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target" / "people.db"
    create_sqlite(path)
    return path


def test_everything_comes_back(gallery: Gallery, target: Path, tmp_path: Path) -> None:
    gallery.add("Ada", templates(1), SPACE)
    gallery.add("李", templates(2), SPACE)
    gallery.add("Ada", [template(1, 9)], SPACE)
    file = tmp_path / "people.jsonl"
    assert export_gallery(gallery, file) == 7
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with SqliteGallery(target) as other:
        assert import_gallery(other, file) == (7, 7)
        assert import_gallery(other, file) == (0, 7)
        assert other.info().space == SPACE
        for name in ("Ada", "李"):
            mine, theirs = list(gallery.templates(name)), list(other.templates(name))
            for (_, a), (_, b) in zip(mine, theirs, strict=True):
                assert (a.photo, a.photo_sha256, a.box_xyxy, a.score, a.enrolled_at) == (
                    *(b.photo, b.photo_sha256, b.box_xyxy, b.score, b.enrolled_at),
                )
                np.testing.assert_array_equal(a.vector, b.vector)


def test_the_file_says_what_it_holds(sqlite_path: Path, tmp_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        export_gallery(gallery, tmp_path / "out.jsonl")
    header = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert "biometric" in header["contains"]
    assert (header["people_count"], header["template_count"]) == (1, 3)


def test_an_empty_gallery_can_be_moved(sqlite_path: Path, target: Path, tmp_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery, SqliteGallery(target) as other:
        assert export_gallery(gallery, tmp_path / "out.jsonl") == 0
        assert import_gallery(other, tmp_path / "out.jsonl") == (0, 0)


def test_damage_is_told_of_and_whole_people_stay(
    sqlite_path: Path, target: Path, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
        export_gallery(gallery, file)
    file.write_text(file.read_text()[:-40])
    with SqliteGallery(target) as other:
        with pytest.raises(InputError, match="as an export"):
            import_gallery(other, file)
        assert [(person.name, person.template_count) for person in other.people()] == [("Ada", 3)]


def test_a_file_cut_between_two_lines_is_damaged_too(
    sqlite_path: Path, target: Path, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)
        gallery.add("Eve", templates(2), SPACE)
        export_gallery(gallery, file)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:4]))
    with SqliteGallery(target) as other, pytest.raises(InputError, match="3 of its 6 templates"):
        import_gallery(other, file)


def test_a_gallery_that_changes_meanwhile_is_not_exported(
    sqlite_path: Path, tmp_path: Path
) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        gallery.add("Ada", templates(1), SPACE)

        class Late(Reporter):
            def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
                assert (length, label) == (3, "exporting")
                with SqliteGallery(sqlite_path) as other:
                    other.add("Eve", templates(2), SPACE)
                return iter(items)

        with pytest.raises(StorageError, match="Repeat"):
            export_gallery(gallery, tmp_path / "out.jsonl", reporter=Late())
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "other"}', "\x00"])
def test_a_file_that_is_none(target: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with (
        SqliteGallery(target) as other,
        pytest.raises(InputError, match="as an export of a gallery"),
    ):
        import_gallery(other, tmp_path / "x.jsonl")


@pytest.mark.parametrize("is_moved", [False, True], ids=["empty gallery", "another mean"])
def test_a_file_without_the_mean_that_its_space_names_is_damaged(
    sqlite_path: Path, target: Path, tmp_path: Path, is_moved: bool
) -> None:
    file, mean = tmp_path / "out.jsonl", np.full(SIZE, 0.01, np.float32)
    with SqliteGallery(sqlite_path) as gallery:
        centered = replace(SPACE, mean_sha256=mean_sha256_of(mean))
        gallery.add("Ada", templates(1), centered, mean=mean)
        export_gallery(gallery, file)
    header, *lines = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps(json.loads(header) | {"mean_f32": None}), *lines]))
    with SqliteGallery(target) as other:
        if is_moved:
            other.add("Eve", templates(2), SPACE)
        with pytest.raises(InputError, match="mean embedding must be the one"):
            import_gallery(other, file)
        assert other.person("Ada") is None


def test_another_model_is_refused(sqlite_path: Path, target: Path, tmp_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery, SqliteGallery(target) as other:
        gallery.add("Ada", templates(1), SPACE)
        other.add("Ada", templates(1), OTHER_MODEL)
        export_gallery(gallery, tmp_path / "out.jsonl")
        with pytest.raises(ModelMismatchError):
            import_gallery(other, tmp_path / "out.jsonl")


def test_places_that_cannot_be_written_or_read(sqlite_path: Path, tmp_path: Path) -> None:
    with SqliteGallery(sqlite_path) as gallery:
        with pytest.raises(StorageError):
            export_gallery(gallery, tmp_path / "no" / "out.jsonl")
        with pytest.raises(InputError, match="No such file"):
            import_gallery(gallery, tmp_path / "none.jsonl")
