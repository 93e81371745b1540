"""What is drawn into a frame, and where."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.photo import draw
from facekit.photo.draw import drawable
from facekit.types import Face, UInt8Array
from facekit.video.annotate import annotated, label
from facekit.video.records import NOBODY, Identity, VisibleFace
from tests.video.faces import face

GRAY: UInt8Array = np.full((480, 640, 3), 128, np.uint8)
ADA = Identity("Ada", 0.714)


def changed(*faces: VisibleFace, pixels: UInt8Array = GRAY) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of all that was drawn."""
    rows, columns = np.nonzero((annotated(pixels, faces) != pixels).any(axis=2))
    return (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def letters(*faces: VisibleFace) -> int:
    """Dark pixels: neither the gray of the frame nor a label's or a box's color is."""
    return int((annotated(GRAY, faces) < 90).all(axis=2).sum())


def test_the_label_says_who() -> None:
    seen = face(0, 0, 9, 9)
    assert label(VisibleFace(3, seen, ADA)) == "Ada 0.71"
    assert label(VisibleFace(3, seen, Identity(None, 0.2))) == "unknown 3"
    assert label(VisibleFace(3, seen, NOBODY)) == "unknown 3"


def test_the_label_stands_above_the_box_and_the_frame_is_not_changed() -> None:
    before = GRAY.copy()
    x1, y1, x2, y2 = changed(VisibleFace(1, face(200, 200, 330, 360), ADA))
    assert (x1, y2) == (199, 361)  # the line is 2 px wide
    assert 330 < x2 < 380  # the label may be wider than the box
    assert 165 < y1 < 185
    np.testing.assert_array_equal(GRAY, before)


@pytest.mark.parametrize(
    "seen",
    [
        face(-50, -60, 100, 90),
        face(560, 400, 700, 560),
        face(200, 2, 300, 100),
        face(0, 0, 640, 480),
    ],
)
def test_the_label_is_inside_the_frame_whole(seen: Face) -> None:
    """As many dark pixels as in the middle of the frame."""
    middle = letters(VisibleFace(1, face(200, 200, 330, 360), ADA))
    assert letters(VisibleFace(1, seen, ADA)) == middle > 50


def test_a_label_does_not_cover_another() -> None:
    one = VisibleFace(1, face(200, 200, 300, 320), ADA)
    other = VisibleFace(2, face(240, 195, 340, 315), Identity("Grace", 0.6))
    assert letters(one, other) == letters(one) + letters(other)


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 1, 3), (2160, 3840, 3)])
def test_any_size_of_frame(shape: tuple[int, int, int]) -> None:
    pixels: UInt8Array = np.zeros(shape, np.uint8)
    assert annotated(pixels, [VisibleFace(1, face(1, 1, 5, 5), ADA)]).shape == shape


def test_an_older_opencv_draws_without_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "_DRAWS_UNICODE", False)
    assert drawable("José Ångström") == "Jose Angstrom"
