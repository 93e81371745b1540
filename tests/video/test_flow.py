"""Faces carried by motion of known size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from facekit.types import UInt8Array
from facekit.video.flow import Flow
from tests.video import clips
from tests.video.faces import face

SCENE = clips.Scene((clips.Person("obama", clips.still(300)),), frames=1)
FACE = face(255, 156, 345, 284)  # where the person is


def view(matrix: Sequence[Sequence[float]]) -> UInt8Array:
    """The scene moved by a (2, 3) matrix."""
    picture = next(SCENE.pictures())
    motion = np.array(matrix, np.float64)
    moved = cv2.warpAffine(picture, motion, (640, 480), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


STILL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (7.5, -3.25), (-30, 12)])
def test_a_shift_is_followed_to_a_third_of_a_pixel(dx: float, dy: float) -> None:
    flow = Flow()
    flow.advance(view(STILL), [])
    (carried,) = flow.advance(view([[1, 0, dx], [0, 1, dy]]), [FACE])
    assert carried is not None
    np.testing.assert_allclose(carried.box_xyxy, FACE.box_xyxy + np.array([dx, dy] * 2), atol=0.34)
    np.testing.assert_allclose(
        carried.landmarks_xy, FACE.landmarks_xy + np.array([dx, dy]), atol=0.34
    )
    assert carried.score == FACE.score


def test_a_zoom_makes_the_box_larger() -> None:
    flow = Flow()
    flow.advance(view(STILL), [])
    (carried,) = flow.advance(view([[1.08, 0, -24], [0, 1.08, -17]]), [FACE])
    assert carried is not None
    expected = FACE.box_xyxy * 1.08 - [24, 17, 24, 17]
    np.testing.assert_allclose(carried.box_xyxy, expected, atol=1.0)


@pytest.mark.parametrize("size", [(320, 240), (960, 720), (1920, 1080)])
def test_frames_may_change_in_size(size: tuple[int, int]) -> None:
    """Larger than 640 px, frames are reduced on the way; both steps are undone in the result."""
    flow = Flow()
    flow.advance(view(STILL), [])
    other = np.asarray(cv2.resize(view(STILL), size, interpolation=cv2.INTER_AREA), np.uint8)
    (carried,) = flow.advance(other, [FACE])
    assert carried is not None
    scale = np.array([size[0] / 640, size[1] / 480] * 2)
    np.testing.assert_allclose(carried.box_xyxy, FACE.box_xyxy * scale, atol=2.0)


def test_what_is_covered_or_gone_is_lost() -> None:
    flow = Flow()
    flow.advance(view(STILL), [])
    covered = view(STILL)
    covered[140:300, 240:325] = 90
    assert flow.advance(covered, [FACE]) == [None]
    assert flow.advance(np.zeros_like(covered), [FACE]) == [None]


def test_each_face_for_itself() -> None:
    flow = Flow()
    flow.advance(view(STILL), [])
    half = view(STILL)
    half[:, 320:] = 0
    left, right = flow.advance(half, [face(100, 100, 200, 220), face(420, 100, 520, 220)])
    assert left is not None
    assert right is None


def test_the_first_frame_has_no_motion() -> None:
    assert Flow().advance(view(STILL), [FACE]) == [None]
