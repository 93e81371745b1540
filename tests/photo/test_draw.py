"""What detect --draw draws into a photo, by its pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.photo.draw import OTHER_RGB, SELECTED_RGB, draw_faces, draw_label
from facekit.types import Face, UInt8Array
from tests.video.faces import face


def gray(width: int, height: int) -> UInt8Array:
    return np.full((height, width, 3), 128, np.uint8)


def is_color(
    pixels: UInt8Array, rgb: tuple[int, int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((pixels == np.array(rgb)).all(axis=-1))


def edge_px(drawn: UInt8Array, box: Face, rgb: tuple[int, int, int]) -> int:
    """Pixels of a color across the middle of a box's left edge: the line's thickness."""
    x1, y1, x2, y2 = (round(side) for side in box.box_xyxy.tolist())
    reach = (x2 - x1) // 4
    row = drawn[(y1 + y2) // 2, max(x1 - reach, 0) : x1 + reach]
    return int(is_color(row, rgb).sum())


def number_at(drawn: UInt8Array, box: Face) -> UInt8Array:
    """(60, 40) ink of the letters above a box, 0 or 255, scaled to one size."""
    x1, y1 = (round(side) for side in box.box_xyxy[:2].tolist())
    ink: UInt8Array = 255 * (drawn[:y1, x1 : x1 + 200] < 60).all(axis=-1).astype(np.uint8)
    rows, columns = np.nonzero(ink)
    letters = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return np.asarray(cv2.resize(letters, (40, 60), interpolation=cv2.INTER_AREA), np.uint8)


A, B, C = face(100, 150, 200, 280), face(400, 200, 500, 330), face(700, 180, 800, 310)


def test_selected_boxes_are_colored_and_numbered_by_their_place_among_the_selected() -> None:
    """The second face's label is the first one's where the order of the two is the other."""
    one = draw_faces(gray(900, 600), (A, B), (A, B))
    other = draw_faces(gray(900, 600), (A, B), (B, A))
    zero, first = number_at(one, A).astype(int), number_at(one, B).astype(int)
    assert np.abs(number_at(other, B) - zero).mean() < 3
    assert np.abs(number_at(other, A) - first).mean() < 3
    assert np.abs(zero - first).mean() > 15  # 0 and 1 are not alike
    for box in (A, B):
        assert edge_px(one, box, SELECTED_RGB) >= 2


def test_a_face_that_is_not_selected_is_thin_gray_and_has_no_number() -> None:
    drawn = draw_faces(gray(1600, 600), (A, B, C), (B,))
    assert edge_px(drawn, B, SELECTED_RGB) in (4, 5)  # OpenCV makes lines of odd thickness
    for box in (A, C):
        assert edge_px(drawn, box, SELECTED_RGB) == 0
        assert edge_px(drawn, box, OTHER_RGB) in (2, 3)
        x1, y1 = (round(side) for side in box.box_xyxy[:2].tolist())
        assert (drawn[y1 - 60 : y1 - 4, x1 - 10 : x1 + 100] == 128).all()


@pytest.mark.parametrize("scale", [0.5, 1, 4])
def test_line_and_letters_grow_with_the_photo(scale: int) -> None:
    box = face(400 * scale, 200 * scale, 500 * scale, 330 * scale)
    drawn = draw_faces(gray(int(1600 * scale), int(800 * scale)), (box,), (box,))
    assert edge_px(drawn, box, SELECTED_RGB) == pytest.approx(4 * scale, abs=1)
    above = drawn[: int(198 * scale)]
    letters = (above < 60).all(axis=-1)
    height = np.ptp(np.nonzero(letters)[0]) + 1
    assert height == pytest.approx(20 * scale, rel=0.2)  # an eightieth of the photo: to be read


def test_the_line_does_not_hide_a_small_face_of_a_huge_photo() -> None:
    box = face(3000, 3000, 3040, 3050)
    drawn = draw_faces(gray(8000, 6000), (box,), (box,))
    assert edge_px(drawn, box, SELECTED_RGB) in (2, 3)


def test_the_photo_itself_is_not_changed() -> None:
    photo = gray(900, 600)
    assert (draw_faces(photo, (A,), (A,)) != photo).any()
    assert (photo == 128).all()


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), SELECTED_RGB, (128, 128, 128)])
def test_a_label_is_legible_on_any_background(background: tuple[int, int, int]) -> None:
    """Its letters are dark on its own strip, whatever is behind: contrast by WCAG 2, 7 to 1."""
    photo = np.full((600, 900, 3), background, np.uint8)
    x1, y1, x2, y2 = draw_label(photo, "unknown 3", A, SELECTED_RGB, 20, [])
    strip = photo[y1 + 1 : y2, x1 + 1 : x2].reshape(-1, 3)
    colors, counts = np.unique(strip, axis=0, return_counts=True)
    paper, ink = colors[counts.argmax()], colors[colors.sum(axis=1).argmin()]
    assert (luminance(paper) + 0.05) / (luminance(ink) + 0.05) > 7
    assert is_color(strip, SELECTED_RGB).mean() > 0.4


def luminance(rgb: UInt8Array) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    shares = rgb.astype(float) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def test_a_label_stands_below_where_the_photo_ends_above() -> None:
    top = face(100, 5, 200, 130)
    x1, y1, _, _ = draw_label(gray(900, 600), "0", top, SELECTED_RGB, 20, [])
    assert (x1, y1) == (100, 130)
