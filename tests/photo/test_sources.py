"""Which pictures a command line names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facekit.errors import ImageError, InputError
from facekit.photo.sources import (
    is_picture_name,
    list_people,
    list_pictures,
    people_in,
    unique_stems,
)


def test_folders_become_their_pictures_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "deep/c.webp", "notes.txt", ".hidden.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [str(Path(name).relative_to(tmp_path)) for name in list_pictures([str(tmp_path)])]
    assert found == ["a.PNG", "b.jpg", "deep/c.webp"]


def test_files_and_stdin_are_taken_as_named() -> None:
    assert list_pictures(["z.whatever", "-", "a.jpg"]) == ["z.whatever", "-", "a.jpg"]


def test_a_folder_gives_regular_files_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert list_pictures([str(tmp_path)]) == [str(tmp_path / "a.jpg")]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed here, because Python before 3.13 cannot remove such a depth."""
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_folders_deeper_than_python_can_walk_are_an_error(deep: Path) -> None:
    folder = deep
    for _ in range(3):  # for makedirs calls itself too
        folder /= "d/" * 500
        os.makedirs(folder)
    (folder / "a.jpg").touch()
    if sys.version_info >= (3, 12):
        assert list_pictures([str(deep)]) == [str(folder / "a.jpg")]
        return
    with pytest.raises(ImageError, match="nested too deeply"):
        list_pictures([str(deep)])


def test_names_that_no_file_can_have_are_taken_as_named() -> None:
    for name in ("x" * 300, "a\0b"):
        assert list_pictures([name]) == [name]
        assert not is_picture_name(name)


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no photo"):
        list_pictures([str(tmp_path)])


def test_stems_are_unique() -> None:
    names = ["x/a.jpg", "y/a.png", "-", "a-2.jpg", "x/a.jpg"]
    assert unique_stems(names) == {
        "x/a.jpg": "a",
        "y/a.png": "a-2",
        "-": "stdin",
        "a-2.jpg": "a-2-2",
    }


def test_a_word_is_a_picture_by_its_suffix_or_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    assert is_picture_name(str(tmp_path / "photo"))
    assert is_picture_name("absent.JPG")
    assert not is_picture_name("Ada Lovelace")
    assert not is_picture_name(str(tmp_path))


def test_a_folder_a_person_with_and_without_what_lies_deeper(tmp_path: Path) -> None:
    for name in ("Ada/b.jpg", "Ada/deep/c.jpg", "Eve/a.png", ".hidden/d.jpg", "alone.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "Eve" / "notes.txt").touch()
    shallow = {person.name: len(person.photos) for person in list_people(tmp_path)}
    assert shallow == {"Ada": 1, "Eve": 1}
    assert [(name, len(photos)) for name, photos in people_in(tmp_path)] == [("Ada", 2), ("Eve", 1)]


def test_no_folder_of_people_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no folder in it"):
        list(people_in(tmp_path))
    with pytest.raises(InputError, match="one folder a person"):
        list_people(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        list(people_in(tmp_path / "absent"))
