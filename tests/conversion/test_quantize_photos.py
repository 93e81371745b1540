"""Which photos calibrate, and the faces that ship for where there are none."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.conversion.crops import (
    MIN_CROPS,
    choose_photos,
    photo_crops,
    photo_names,
    sample_across_people,
)
from facekit.conversion.shipped_faces import shipped_crops
from facekit.enums import CropRule, ResizeFilter
from facekit.errors import ImageError, InputError, PairListError
from facekit.face import portraits
from facekit.face.align import landmark_template
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import InstalledModel, find
from facekit.pipeline.locate import LocateOptions
from facekit.types import CropSpec


@given(
    people=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    count=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_nobody_comes_twice_before_everybody_came_once(
    people: list[int], count: int, seed: int
) -> None:
    photos = [
        Path(f"p{person}/{photo}.jpg") for person, n in enumerate(people) for photo in range(n)
    ]
    chosen = sample_across_people(photos, count, seed=seed)
    assert chosen == sorted(set(chosen)) == sample_across_people(photos[::-1], count, seed=seed)
    assert len(chosen) == min(count, len(photos))
    times = [
        sum(one.parent == Path(f"p{person}") for one in chosen) for person in range(len(people))
    ]
    for person, taken in enumerate(times):
        assert taken >= min(people[person], max(times) - 1)


def test_each_photo_of_a_list_a_pair_list_or_a_bin_file_is_used_once(tmp_path: Path) -> None:
    expected = [tmp_path / "a.jpg", tmp_path / "p" / "b.jpg", tmp_path / "c.jpg"]
    for text in ("a.jpg\np/b.jpg\n\nc.jpg\na.jpg\n", "img1;img2\na.jpg;p/b.jpg\nc.jpg;a.jpg\n"):
        (tmp_path / "list.txt").write_text(text)
        assert choose_photos(tmp_path / "list.txt", 9, seed=1) == expected
        assert choose_photos(tmp_path / "list.txt", 2, seed=1) == expected[:2]
    packed = tmp_path / "x.bin"
    packed.write_bytes(pickle.dumps(([b"a", b"b", b"c", b"d"], [1, 0])))
    assert photo_names(choose_photos(packed, 3, seed=1)) == tuple(
        f"x.bin#0000{n}" for n in range(3)
    )
    packed.write_bytes(b"")
    with pytest.raises(PairListError, match=r"x\.bin"):
        choose_photos(packed, 3, seed=1)


@pytest.fixture
def model() -> InstalledModel:
    return find(DEFAULT_MODEL)


@pytest.mark.model
def test_a_folder_of_photos_becomes_crops(
    model: InstalledModel, data: Path, tmp_path: Path
) -> None:
    for index in range(MIN_CROPS):
        name = ("obama", "obama2", "biden")[index % 3]
        target = tmp_path / name / f"{index:02}.jpg"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(data / f"{name}.jpg", target)
    (tmp_path / "biden" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    cropped = photo_crops(tmp_path, model, LocateOptions())
    assert cropped.images.shape == (MIN_CROPS, 160, 160, 3)
    assert (cropped.origin.crops, cropped.origin.people) == (MIN_CROPS, 3)
    assert cropped.origin.photos[0] == "biden/02.jpg"
    assert len(cropped.failures) == 1
    assert "broken.jpg" in cropped.failures[0]
    np.testing.assert_array_equal(cropped.images[0], cropped.images[1])  # one photo, copied


@pytest.mark.model
def test_too_few_photos_and_none_with_a_face(
    model: InstalledModel, data: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"{data / 'obama.jpg'}\nnone.jpg\n\n")
    with pytest.raises(InputError, match=r"at least 16 photos with a face.* 1 of them.*none.jpg"):
        photo_crops(listed, model, LocateOptions())
    with pytest.raises(ImageError, match="no photo in this folder"):
        photo_crops(_empty(tmp_path), model, LocateOptions())
    with pytest.raises(
        InputError, match="cannot be read as a folder of photos or a list of their paths"
    ):
        photo_crops(data / "obama.jpg", model, LocateOptions())


def test_shipped_faces_have_their_landmarks_where_the_template_wants_them() -> None:
    """Before they are moved at random: the five points' middle, and each within a few pixels."""
    crop = CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR)
    template = landmark_template(112, 96)
    for face in portraits.FACES:
        placed = portraits.crop_transform(face, crop, 96, 112)
        share = np.array(face.landmarks_xy) / (face.width_px, face.height_px)
        tile_xy = share * portraits.BOX_PX + (portraits.TILE_PX - portraits.BOX_PX) / 2
        found = tile_xy @ placed[:, :2].T + placed[:, 2]
        np.testing.assert_allclose(found.mean(0), template.mean(0), atol=0.5)
        assert np.abs(found - template).max() < 9  # no face is the template's own


@pytest.mark.model
def test_a_model_of_whole_photos_has_no_shipped_faces(model: InstalledModel) -> None:
    whole = replace(model.card, crop=CropSpec(CropRule.NONE, 0.0, ResizeFilter.BILINEAR))
    with pytest.raises(InputError, match="whole photos"):
        shipped_crops(whole)


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.model
def test_shipped_faces_are_the_same_each_time_and_all_different(model: InstalledModel) -> None:
    first, second = (shipped_crops(model.card, count=12).images for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (12, 160, 160, 3)
    assert len(np.unique(first.reshape(12, -1), axis=0)) == 12
    assert (shipped_crops(model.card, count=12, seed=1).images != first).any(axis=(1, 2, 3)).all()
