from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import StorageError
from facekit.photo.decode import read_image
from facekit.photo.write import write_jpeg, write_png
from facekit.types import UInt8Array
from tests.photo.picture_samples import smooth_pixels


def test_png_keeps_every_pixel(tmp_path: Path) -> None:
    path = tmp_path / "größer als 写真.png"
    write_png(path, smooth_pixels())
    assert np.array_equal(read_image(path), smooth_pixels())
    assert os.listdir(tmp_path) == [path.name]


def test_jpeg_is_close(tmp_path: Path) -> None:
    path = tmp_path / "crop.jpg"
    write_jpeg(path, smooth_pixels(), quality=100)
    fine = np.abs(read_image(path).astype(int) - smooth_pixels()).mean()
    write_jpeg(path, smooth_pixels(), quality=20)
    coarse = np.abs(read_image(path).astype(int) - smooth_pixels()).mean()
    assert fine < 2 < coarse < 20


def test_a_view_of_another_array_can_be_written(tmp_path: Path) -> None:
    part = smooth_pixels()[5:20:2, ::-1]
    write_png(tmp_path / "part.png", part)
    assert np.array_equal(read_image(tmp_path / "part.png"), part)


def test_failure_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"Cannot write .*file/crop\.png"):
        write_png(tmp_path / "file" / "crop.png", smooth_pixels())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, pixels: UInt8Array) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        write_png(tmp_path / "x.png", pixels)
    assert not any(tmp_path.iterdir())
