"""Photos to batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.enums import ColorOrder
from facekit.errors import ImageError
from facekit.photo.decode import read_image
from facekit.photo.sources import list_people
from facekit.photo.write import write_png
from facekit.runtime.preprocess import model_input
from facekit.training.config import AugmentConfig
from facekit.training.dataset.batches import Photos, Share, augmentation, rotate_and_zoom
from facekit.training.dataset.epoch import PhotoSet, epoch_plan, split
from facekit.types import InputSpec
from tests.networks.tiny_training import tiny_config, write_people

pytestmark = pytest.mark.tensorflow

SPEC = InputSpec(16, 16, ColorOrder.BGR, 127.5, 128.0)
OFF = AugmentConfig(random_crop=False, flip=False)
EVERYTHING = AugmentConfig(
    rotate_degrees=10, zoom=0.1, brightness=20, contrast=0.2, saturation=0.3, erase=0.3
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    folder = write_people(tmp_path_factory.mktemp("people"), people=3, photos=4)
    return split(list_people(folder), tiny_config())[0]


def test_without_changes_a_photo_is_its_center_as_at_run_time(photos: PhotoSet) -> None:
    data = Photos(photos, SPEC, memory_mb=1)
    plan = np.arange(12).reshape(3, 4)
    batches = list(data.batches(plan, OFF, seed=0, epoch=0))
    crops = np.stack([read_image(path)[2:18, 2:18] for path in photos.paths])
    assert np.array_equal(
        np.concatenate([batch.images for batch in batches]), model_input(crops, SPEC)
    )
    assert np.concatenate([batch.labels for batch in batches]).tolist() == photos.labels.tolist()
    assert np.array_equal(np.concatenate(list(data.center_crops(5))), model_input(crops, SPEC))


@pytest.mark.parametrize("memory_mb", [0, 1])
def test_a_later_start_and_shares_give_the_same_photos(photos: PhotoSet, memory_mb: int) -> None:
    data = Photos(photos, SPEC, memory_mb=memory_mb)
    plan = epoch_plan(photos, tiny_config(batch_size=4), 0)
    whole = list(data.batches(plan, EVERYTHING, seed=3, epoch=1))
    late = list(data.batches(plan, EVERYTHING, seed=3, epoch=1, first_step=2))
    assert np.array_equal(late[0].images, whole[2].images)
    halves = [
        list(data.batches(plan, EVERYTHING, seed=3, epoch=1, share=Share(first, first + 2)))
        for first in (0, 2)
    ]
    for batch, left, right in zip(whole, *halves, strict=True):
        assert np.array_equal(batch.images, np.concatenate([left.images, right.images]))
        assert np.array_equal(batch.labels, np.concatenate([left.labels, right.labels]))


def test_epochs_and_seeds_change_photos_differently(photos: PhotoSet) -> None:
    data = Photos(photos, SPEC, memory_mb=1)
    plan = np.zeros((1, 4), np.int64)  # one photo, four times
    seen = [
        image
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
        for image in next(data.batches(plan, EVERYTHING, seed=seed, epoch=epoch)).images
    ]
    assert len({image.tobytes() for image in seen}) == 12


def test_values_stay_within_what_pixels_can_be(photos: PhotoSet) -> None:
    wild = AugmentConfig(brightness=255, contrast=0.9)
    for batch in Photos(photos, SPEC, memory_mb=1).batches(
        np.arange(12).reshape(1, 12), wild, seed=0, epoch=0
    ):
        assert batch.images.min() >= -127.5 / 128
        assert batch.images.max() <= 127.5 / 128


def test_flips_and_windows_come_from_the_photo() -> None:
    """A picture that counts its columns: a window of it counts on, or down where it is flipped."""
    pixels = np.broadcast_to(np.arange(24, dtype=np.uint8)[None, :, None], (24, 24, 3))
    change = augmentation(
        AugmentConfig(), InputSpec(16, 16, ColorOrder.RGB, 0.0, 1.0), seed=0, epoch=0
    )
    rows = [np.asarray(change(pixels, number))[0, :, 0] for number in range(60)]
    assert {float(np.diff(row)[0]) for row in rows} == {1.0, -1.0}
    assert {float(row.min()) for row in rows} == set(map(float, range(9)))
    assert all((np.abs(np.diff(row)) == 1).all() for row in rows)


def test_turning_by_a_right_angle_and_by_nothing() -> None:
    pixels = np.arange(9 * 9 * 3, dtype=np.float32).reshape(9, 9, 3)
    assert np.allclose(rotate_and_zoom(pixels, np.float32(0), np.float32(1)), pixels, atol=1e-3)
    quarter = rotate_and_zoom(pixels, np.float32(np.pi / 2), np.float32(1))
    assert any(np.allclose(quarter, np.rot90(pixels, turns), atol=0.05) for turns in (1, 3)), (
        "a quarter turn moves pixels onto pixels"
    )
    twice = rotate_and_zoom(pixels, np.float32(0), np.float32(2))
    assert np.allclose(twice[4, 4], pixels[4, 4], atol=1e-3)
    assert np.allclose(twice[4, 6], pixels[4, 5], atol=1e-3), "what was 1 px away is 2 px away"


def test_a_photo_that_is_too_small_or_broken_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "a" / "1.png", np.zeros((20, 20, 3), np.uint8))
    write_png(tmp_path / "a" / "2.png", np.zeros((12, 20, 3), np.uint8))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "3.png").write_bytes(b"nothing")
    photos = split(list_people(tmp_path), tiny_config())[0]
    with pytest.raises(ImageError, match=r"2\.png: a crop of at least 16 x 16.*20 x 12"):
        Photos(photos, SPEC, memory_mb=1)
    data = Photos(photos, SPEC, memory_mb=0)
    with pytest.raises(ImageError, match=r"3\.png"):
        list(data.batches(np.array([[2, 2]]), OFF, seed=0, epoch=0))
