from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.face.mtcnn.windows import windows
from facekit.types import Float32Array


def box(*corners: float) -> Float32Array:
    return np.array([corners], np.float32)


def ramp(height: int, width: int) -> Float32Array:
    """Channel 0 is x, channel 1 is y, channel 2 is 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y, np.ones_like(x)], axis=2)


def by_definition(image: Float32Array, one: Float32Array, side_px: int) -> Float32Array:
    """TensorFlow's description of crop_and_resize, sample by sample."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in one)
    result = np.zeros((side_px, side_px, 3))
    for i in range(side_px):
        for j in range(side_px):
            y = (y1 / height + i * (y2 - y1) / height / (side_px - 1)) * (height - 1)
            x = (x1 / width + j * (x2 - x1) / width / (side_px - 1)) * (width - 1)
            if 0 <= y <= height - 1 and 0 <= x <= width - 1:
                top, left = int(y), int(x)
                low, right = min(top + 1, height - 1), min(left + 1, width - 1)
                upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
                lower = image[low, left] * (1 - x + left) + image[low, right] * (x - left)
                result[i, j] = upper * (1 - y + top) + lower * (y - top)
    return result.astype(np.float32)


def test_samples_by_hand() -> None:
    # 11 px of an 11 px picture: samples 0, 2.5, 5, 7.5, 10 along each side.
    window = windows(ramp(11, 11), box(0, 0, 11, 11), side_px=5)[0]
    np.testing.assert_allclose(window[0, :, 0], [0, 2.5, 5, 7.5, 10], atol=1e-5)
    np.testing.assert_allclose(window[:, 3, 1], [0, 2.5, 5, 7.5, 10], atol=1e-5)


def test_outside_is_gray() -> None:
    window = windows(ramp(11, 11), box(-11, 0, 11, 11), side_px=5)[0]  # x = -10, -5, 0, 5, 10
    np.testing.assert_allclose(window[2], [[0, 0, 0], [0, 0, 0], [0, 5, 1], [5, 5, 1], [10, 5, 1]])


def test_a_box_off_the_picture() -> None:
    assert not windows(ramp(11, 11), box(100, 100, 120, 120), side_px=24).any()


@pytest.mark.parametrize("side", [24, 48])
def test_no_boxes_give_no_windows(side: int) -> None:
    none = np.zeros((0, 4), np.float32)
    assert windows(ramp(11, 11), none, side_px=side).shape == (0, side, side, 3)


def test_more_boxes_than_one_call_takes() -> None:
    one = box(2, 3, 9, 8)
    many = windows(ramp(11, 11), np.tile(one, (1500, 1)), side_px=24)
    assert many.shape == (1500, 24, 24, 3)
    np.testing.assert_array_equal(
        many, np.tile(windows(ramp(11, 11), one, side_px=24), (1500, 1, 1, 1))
    )


@given(
    corners=st.lists(st.floats(-30, 60, width=32), min_size=4, max_size=4),
    height=st.integers(2, 40),
    width=st.integers(2, 40),
)
@settings(deadline=None, max_examples=60)
def test_samples_are_those_of_the_definition(corners: list[float], height: int, width: int) -> None:
    # A sample within rounding of the picture's edge may fall on either side of it: keep off.
    one = np.array(corners, np.float32).round(1) + np.float32(0.0123)
    image = np.random.default_rng(7).standard_normal((height, width, 3)).astype(np.float32)
    expected = by_definition(image, one, 6)
    window = windows(image, one[None], side_px=6)[0]
    # OpenCV 4 rounds positions to 1/32 px.
    np.testing.assert_allclose(window, expected, atol=0.3)
    assert np.abs(window - expected).mean() < 0.03
