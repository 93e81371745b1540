"""Crops: hand-worked boxes, and properties of the similarity transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import CropRule, ResizeFilter
from facekit.face.align import crop_faces, landmark_template, similarity_transform, whole_picture
from facekit.types import CropSpec, Face, UInt8Array

NEAREST_MARGIN = CropSpec(CropRule.MARGIN, 0, ResizeFilter.NEAREST)


def face(box: tuple[float, float, float, float]) -> Face:
    x1, y1, x2, y2 = box
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    landmarks = [(x1 + (x2 - x1) * x, y1 + (y2 - y1) * y) for x, y in points]
    return Face(np.array(box, np.float32), np.array(landmarks, np.float32), 0.9)


def numbered(height: int, width: int) -> UInt8Array:
    """Every pixel tells its row (red) and column (green)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    return image


def corners(crop: UInt8Array) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 (exclusive) of the source pixels that a nearest-neighbor crop shows."""
    return (
        int(crop[0, 0, 1]),
        int(crop[0, 0, 0]),
        int(crop[-1, -1, 1]) + 1,
        int(crop[-1, -1, 0]) + 1,
    )


@pytest.mark.parametrize(
    ("margin", "box", "expected"),
    [
        (0, (10, 20, 50, 60), (10, 20, 50, 60)),
        # 40 px box, 40 of the crop's 200 px outside it: 40 * 40 / 160 / 2 = 5 px on each side
        (40, (10, 20, 50, 60), (5, 15, 55, 65)),
        (40, (2, 3, 42, 43), (0, 0, 47, 48)),
        (0, (60, 70, 140, 150), (60, 70, 100, 90)),
    ],
)
def test_margin_crop_by_hand(
    margin: float, box: tuple[int, int, int, int], expected: tuple[int, int, int, int]
) -> None:
    spec = CropSpec(CropRule.MARGIN, margin, ResizeFilter.NEAREST)
    (crop,) = crop_faces(numbered(90, 100), [face(box)], spec, height_px=200, width_px=200)
    assert corners(crop) == expected


@pytest.mark.parametrize("box", [(-50, -50, -10, -10), (200, 200, 240, 240), (5, 5, 5.1, 5.1)])
def test_a_box_outside_the_picture_or_thinner_than_a_pixel_still_gives_a_crop(
    box: tuple[float, float, float, float],
) -> None:
    crops = crop_faces(numbered(90, 100), [face(box)], NEAREST_MARGIN, height_px=8, width_px=8)
    assert crops.shape == (1, 8, 8, 3)


@pytest.mark.parametrize("rule", [CropRule.MARGIN, CropRule.SIMILARITY])
def test_no_face_gives_no_crop(rule: CropRule) -> None:
    spec = CropSpec(rule, 0, ResizeFilter.BILINEAR)
    assert crop_faces(numbered(9, 9), [], spec, height_px=8, width_px=6).shape == (0, 8, 6, 3)


def test_whole_picture_is_resized_to_the_model() -> None:
    crop = whole_picture(numbered(90, 100), NEAREST_MARGIN, height_px=90, width_px=100)
    np.testing.assert_array_equal(crop[0], numbered(90, 100))


@given(
    st.floats(-math.pi, math.pi),
    st.floats(0.1, 10),
    st.floats(-100, 100),
    st.floats(-100, 100),
)
def test_similarity_transform_is_found_again(
    angle: float, scale: float, shift_x: float, shift_y: float
) -> None:
    source = np.array([[30, 40], [70, 41], [50, 60], [36, 80], [64, 82]], np.float64)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    target = source @ turn.T + [shift_x, shift_y]
    matrix = similarity_transform(source, target)
    np.testing.assert_allclose(matrix[:, :2], turn, atol=1e-9)
    np.testing.assert_allclose(matrix[:, 2], [shift_x, shift_y], atol=1e-8)


def test_similarity_transform_never_mirrors() -> None:
    source = np.array([[0, 0], [1, 0], [0, 1]], np.float64)
    matrix = similarity_transform(source, source * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) >= 0


def test_landmarks_that_coincide_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), np.ones((5, 2)))


@pytest.mark.parametrize("enlarged", [1, 3, 10])
def test_similarity_crop_puts_the_eyes_level_at_the_template(enlarged: int) -> None:
    """A dot on each eye of a tilted face; the same crop comes from a larger photo."""
    side = 120 * enlarged
    template = np.array(
        [[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]], np.float64
    )
    angle = math.radians(20)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    landmarks = ((template - 56) @ turn.T * 0.6 + 60) * enlarged
    y, x = np.indices((side, side)) + 0.5  # where the centers of the pixels are
    dots = sum(
        np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / 8 / enlarged**2) for eye in landmarks[:2]
    )
    image = np.repeat(np.uint8(255 * dots)[..., None], 3, axis=2)
    tilted = Face(np.array([0, 0, side, side], np.float32), landmarks.astype(np.float32), 1.0)
    spec = CropSpec(CropRule.SIMILARITY, 0, ResizeFilter.BILINEAR)
    (crop,) = crop_faces(image, [tilted], spec, height_px=112, width_px=112)
    for half, (x, y) in ((crop[:, :56], template[0]), (crop[:, 56:], template[1] - [56, 0])):
        weights = half[..., 0].astype(np.float64)
        rows, columns = np.indices(weights.shape)
        assert (weights * columns).sum() / weights.sum() + 0.5 == pytest.approx(x, abs=0.2)
        assert (weights * rows).sum() / weights.sum() + 0.5 == pytest.approx(y, abs=0.2)


SPHEREFACE_XY = [
    [30.2946, 51.6963],
    [65.5318, 51.5014],
    [48.0252, 71.7366],
    [33.5493, 92.3655],
    [62.7299, 92.2041],
]
ARCFACE_XY = [[x + 8, y] for x, y in SPHEREFACE_XY]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (112, 96, SPHEREFACE_XY),
        (112, 112, ARCFACE_XY),
        (224, 192, [[2 * x, 2 * y] for x, y in SPHEREFACE_XY]),
        # as wide as SphereFace's crop and higher: 10 px more above and below
        (132, 96, [[x, y + 10] for x, y in SPHEREFACE_XY]),
    ],
)
def test_templates_are_the_published_ones(
    height: int, width: int, expected: list[list[float]]
) -> None:
    np.testing.assert_allclose(landmark_template(height, width), expected, atol=1e-9)


def test_a_margin_shrinks_the_template_about_the_middle() -> None:
    template = landmark_template(112, 96, margin_px=24)  # a quarter of the shorter side
    np.testing.assert_allclose(
        template - [48, 56], 0.75 * (np.array(SPHEREFACE_XY) - [48, 56]), atol=1e-9
    )


@given(st.lists(st.floats(0, 500), min_size=10, max_size=10), st.integers(0, 2**32 - 1))
def test_similarity_transform_is_numpys_least_squares(coordinates: list[float], seed: int) -> None:
    """x' = a x - b y + c, y' = b x + a y + d, solved for a, b, c, d by numpy's own solver."""
    noise = np.random.default_rng(seed).normal(0, 3, (5, 2))
    source = np.array(coordinates).reshape(5, 2) + noise
    target = np.array(SPHEREFACE_XY)
    rows = []
    for x, y in source:
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    a, b, c, d = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    np.testing.assert_allclose(
        similarity_transform(source, target), [[a, -b, c], [b, a, d]], rtol=1e-6, atol=1e-6
    )


def test_a_face_on_the_template_is_its_own_sphereface_crop() -> None:
    image = np.random.default_rng(5).integers(0, 256, (112, 96, 3)).astype(np.uint8)
    box = np.array([0, 0, 96, 112], np.float32)
    there = Face(box, np.array(SPHEREFACE_XY, np.float32), 1.0)
    spec = CropSpec(CropRule.SIMILARITY, 0, ResizeFilter.BILINEAR)
    (crop,) = crop_faces(image, [there], spec, height_px=112, width_px=96)
    assert np.abs(crop.astype(int) - image).max() <= 1
