"""Which pictures a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.errors import ImageError
from facekit.photo.sources import list_pictures, unique_stems


def test_folders_become_their_pictures_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "deep/c.webp", "notes.txt", ".hidden.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [str(Path(name).relative_to(tmp_path)) for name in list_pictures([str(tmp_path)])]
    assert found == ["a.PNG", "b.jpg", "deep/c.webp"]


def test_files_and_stdin_are_taken_as_named() -> None:
    assert list_pictures(["z.whatever", "-", "a.jpg"]) == ["z.whatever", "-", "a.jpg"]


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no picture"):
        list_pictures([str(tmp_path)])


def test_stems_are_unique() -> None:
    names = ["x/a.jpg", "y/a.png", "-", "a-2.jpg", "x/a.jpg"]
    assert unique_stems(names) == {
        "x/a.jpg": "a",
        "y/a.png": "a-2",
        "-": "stdin",
        "a-2.jpg": "a-2-2",
    }
