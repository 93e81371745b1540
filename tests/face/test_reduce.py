from __future__ import annotations

import numpy as np
import pytest

from facekit.face.reduce import enlarged, in_picture, reduced
from facekit.types import Face


def test_small_pictures_are_not_reduced() -> None:
    image = np.zeros((700, 1024, 3), np.uint8)
    assert reduced(image, 1024, 1024)[0] is image
    assert reduced(image, 700, 1024)[1] == (1.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "copy_shape", "reduction"),
    [
        ((3000, 4000), (768, 1024), (4000 / 1024, 3000 / 768)),
        ((1500, 1100), (1024, 751), (1100 / 751, 1500 / 1024)),
        ((4001, 2049), (1024, 524), (2048 / 524, 4000 / 1024)),  # an odd line is left out
        ((1, 5000), (1, 1024), (5000 / 1024, 1.0)),
        ((20000, 2), (1024, 1), (2.0, 20000 / 1024)),
    ],
)
def test_large_pictures_are_reduced(
    shape: tuple[int, int], copy_shape: tuple[int, int], reduction: tuple[float, float]
) -> None:
    copy, spanned = reduced(np.zeros((*shape, 3), np.uint8), 1024, 1024)
    assert copy.shape == (*copy_shape, 3)
    assert spanned == pytest.approx(reduction)


def test_a_reduced_copy_shows_the_same() -> None:
    across = np.linspace(0, 255, 4000)[None, :, None]
    image = np.broadcast_to(across, (3000, 4000, 3)).astype(np.uint8)
    copy, (spanned_x, _) = reduced(image, 1024, 1024)
    centers = (np.arange(1024) + 0.5) * spanned_x - 0.5
    np.testing.assert_allclose(copy[300, :, 1], centers * 255 / 3999, atol=1.5)


@pytest.mark.parametrize(
    ("shape", "copy_shape"),
    [((500, 500), (240, 240)), ((240, 640), (120, 320)), ((1000, 20), (240, 5))],
)
def test_the_worse_side_decides_how_far(
    shape: tuple[int, int], copy_shape: tuple[int, int]
) -> None:
    assert reduced(np.zeros((*shape, 3), np.uint8), 240, 320)[0].shape == (*copy_shape, 3)


def test_a_face_is_told_in_pixels_of_the_picture() -> None:
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2)
    face = Face(np.array([1, 2, 3, 4], np.float32), landmarks, 0.5)
    found = in_picture(face, (2.0, 3.0))
    assert found.box_xyxy.tolist() == [2, 6, 6, 12]
    assert found.landmarks_xy[1].tolist() == [4, 9]
    assert in_picture(face, (1.0, 1.0)) is face


@pytest.mark.parametrize(
    ("shape", "copy_shape", "reduction"),
    [
        ((200, 100), (300, 150), (2 / 3, 2 / 3)),
        ((100, 60), (200, 120), (0.5, 0.5)),  # at most twofold
        ((300, 299), (300, 299), (1.0, 1.0)),
        ((400, 2), (400, 2), (1.0, 1.0)),
    ],
)
def test_small_pictures_are_enlarged(
    shape: tuple[int, int], copy_shape: tuple[int, int], reduction: tuple[float, float]
) -> None:
    copy, spanned = enlarged(np.full((*shape, 3), 7, np.uint8), 300, 300)
    assert copy.shape == (*copy_shape, 3)
    assert (copy == 7).all()
    assert spanned == pytest.approx(reduction)
