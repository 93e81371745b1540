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
