from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.face.mtcnn.pyramid import level, pyramid_scales


def scales(height: int, width: int, *, face: float = 20.0, factor: float = 0.709) -> list[float]:
    return list(pyramid_scales(height, width, min_face_px=face, scale_factor=factor))


def test_lfw_has_eight_levels() -> None:
    found = scales(250, 250)
    assert found == pytest.approx([0.6 * 0.709**k for k in range(8)])
    assert [int(250 * scale) for scale in found] == [150, 106, 75, 53, 37, 26, 19, 13]


def test_the_shorter_side_decides() -> None:
    assert scales(250, 4000) == scales(4000, 250) == scales(250, 250)


def test_halves_from_a_window_of_one_pixel() -> None:
    # 48 px at 1/2: 24, 12 and no more.
    assert scales(48, 48, face=24, factor=0.5) == [0.5, 0.25]


@pytest.mark.parametrize("side", [1, 8, 19])
def test_smaller_than_the_smallest_face(side: int) -> None:
    assert scales(side, 500) == []
    assert scales(20, 500) == [0.6]


@given(height=st.integers(1, 3000), width=st.integers(1, 3000), face=st.floats(12, 500))
def test_every_level_holds_a_window_and_the_next_would_not(
    height: int, width: int, face: float
) -> None:
    found = scales(height, width, face=face)
    shorter = min(height, width)
    assert all(int(shorter * scale) >= 12 for scale in found)
    following = 12 / face * 0.709 ** len(found)
    assert shorter * following < 12.001


def test_a_level_is_the_mean_of_what_each_pixel_covers() -> None:
    image = np.zeros((4, 4, 3), np.float32)
    image[:2, :2] = [[[1, 2, 3], [3, 2, 1]], [[5, 0, 0], [7, 0, 0]]]
    halved = level(image, 0.5)
    assert halved.shape == (2, 2, 3)
    np.testing.assert_allclose(halved[0, 0], [4, 1, 1])
    np.testing.assert_allclose(halved[1, 1], [0, 0, 0])


def test_a_level_of_three_to_two() -> None:
    # Each new pixel covers an old one and half of the middle one: (2 x 0 + 3) / 3 and so on.
    row = np.array([0, 3, 9], np.float32)
    image = np.broadcast_to(row[None, :, None], (3, 3, 3)).copy()
    np.testing.assert_allclose(level(image, 2 / 3 + 1e-6)[0, :, 0], [1, 7], atol=1e-5)


def test_a_level_is_cut_down_to_whole_pixels() -> None:
    assert level(np.zeros((250, 251, 3), np.float32), 0.4254).shape == (106, 106, 3)
