"""Photos and faces turned by quarters: boxes stay on the pixels, and crops come out upright."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.enums import CropRule, ResizeFilter
from facekit.face.align import crop_faces
from facekit.face.turn import face_as_given, turned, upright_face
from facekit.types import CropSpec, Face

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
FACE = Face(
    np.array([20, 10, 50, 50], np.float32),
    np.array([[28, 22], [42, 22], [35, 30], [29, 40], [41, 40]], np.float32),
    0.9,
)
QUARTERS = (90, 180, 270)


def inside(face: Face, photo: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = map(int, face.box_xyxy)
    return photo[y1:y2, x1:x2]


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_box_stays_on_its_pixels(degrees: int) -> None:
    turn = turned(PHOTO, degrees)
    np.testing.assert_array_equal(turn, np.rot90(PHOTO, -degrees // 90))
    given = face_as_given(FACE, PHOTO.shape, degrees)  # found on PHOTO, which was turned
    before = np.rot90(PHOTO, degrees // 90)
    assert given.rotation_degrees == degrees
    np.testing.assert_array_equal(turned(inside(given, before), degrees), inside(FACE, PHOTO))
    back = upright_face(given, before.shape)
    np.testing.assert_array_equal(back.box_xyxy, FACE.box_xyxy)
    np.testing.assert_array_equal(back.landmarks_xy, FACE.landmarks_xy)
    assert back.rotation_degrees == 0


def test_a_point_worked_by_hand() -> None:
    """90 wide, 60 high: upside down, the left eye (28, 22) is at (90 - 28, 60 - 22)."""
    given = face_as_given(FACE, PHOTO.shape, 180)
    np.testing.assert_array_equal(given.landmarks_xy[0], [62, 38])
    np.testing.assert_array_equal(given.box_xyxy, [40, 10, 70, 50])
    np.testing.assert_array_equal(face_as_given(FACE, PHOTO.shape, 90).landmarks_xy[0], [22, 62])


@pytest.mark.parametrize("degrees", QUARTERS)
@pytest.mark.parametrize("rule", [CropRule.MARGIN, CropRule.SIMILARITY])
def test_the_crop_is_that_of_the_upright_photo(degrees: int, rule: CropRule) -> None:
    spec = CropSpec(rule, 4.0, ResizeFilter.BILINEAR)
    upright = crop_faces(PHOTO, [FACE], spec, height_px=32, width_px=32)
    before = np.ascontiguousarray(np.rot90(PHOTO, degrees // 90))
    given = face_as_given(FACE, PHOTO.shape, degrees)
    np.testing.assert_array_equal(
        crop_faces(before, [given], spec, height_px=32, width_px=32), upright
    )


def test_no_other_angle_is_a_rotation() -> None:
    with pytest.raises(ValueError, match="rotation_degrees must be 0, 90, 180 or 270"):
        Face(FACE.box_xyxy, FACE.landmarks_xy, 0.9, rotation_degrees=45)
