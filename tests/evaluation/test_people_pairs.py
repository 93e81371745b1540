"""Pairs made of a folder a person."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError
from facekit.evaluation.protocols.people import pairs_of_people


def write(folder: Path, *counts: int) -> Path:
    """So many photos, which nobody decodes, of person 0, 1, ..."""
    for person, count in enumerate(counts):
        (folder / f"person{person}").mkdir()
        for photo in range(count):
            (folder / f"person{person}" / f"{photo}.png").write_bytes(b"")
    return folder


def test_five_photos_of_one_and_two_of_another(tmp_path: Path) -> None:
    pairs = pairs_of_people(write(tmp_path, 5, 2)).pairs
    genuine = [(pair.a.path, pair.b.path) for pair in pairs if pair.same]
    assert genuine == [
        (f"person0/{a}.png", f"person0/{b}.png")
        for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
    ] + [("person1/0.png", "person1/1.png")]
    assert sum(not pair.same for pair in pairs) == len(genuine)  # all ten that there are


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_photos_in_folders_of_a_person_are_the_persons_as_cfp_has_them(tmp_path: Path) -> None:
    names = [f"{one}/{side}/01.jpg" for one in ("001", "002") for side in ("frontal", "profile")]
    root = touch(tmp_path, *(f"Data/Images/{name}" for name in names), "Protocol/readme.txt")
    for folder in (root, root / "Data" / "Images"):
        pairs = pairs_of_people(folder)
        people = {photo.person for photo in pairs.photos}
        assert people == {"001", "002"}
        assert sum(pair.same for pair in pairs.pairs) == 2
        assert all((folder / photo.path).is_file() for photo in pairs.photos)


def test_photos_in_one_folder_are_told_apart_by_their_names_as_agedb_has_them(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "0_MariaCallas_35_f.jpg", "1_MariaCallas_40_f.JPG", "2_Jim_Co_9_m.jpg", "x.jpg")
    photos = pairs_of_people(tmp_path).photos
    assert [photo.person for photo in photos] == ["MariaCallas", "MariaCallas", "Jim_Co"]
    (tmp_path / "2_Jim_Co_9_m.jpg").unlink()
    with pytest.raises(InputError, match="2 photos of 1 people"):
        pairs_of_people(tmp_path)
    with pytest.raises(InputError, match="nor as AgeDB names them"):
        pairs_of_people(touch(tmp_path / "empty", "notes.txt", "person/notes.txt"))


@given(st.lists(st.integers(0, 6), min_size=2, max_size=6))
def test_every_photo_is_in_a_pair_and_no_pair_comes_twice(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = write(Path(temporary), *counts)
        if max(counts) < 2 or sum(count > 0 for count in counts) < 2:
            with pytest.raises(InputError):
                pairs_of_people(folder)
            return
        made = pairs_of_people(folder)
        assert made == pairs_of_people(folder)
    assert len(made.photos) == sum(counts)
    keys = [frozenset((pair.a.path, pair.b.path)) for pair in made.pairs]
    assert len(set(keys)) == len(keys)
    assert all(pair.same == (pair.a.person == pair.b.person) for pair in made.pairs)
    genuine = sum(pair.same for pair in made.pairs)
    strangers = (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2
    assert len(made.pairs) - genuine >= min(genuine, strangers) * 0.5
