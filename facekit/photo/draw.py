"""Draws boxes, landmarks and labels into a photo."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

from facekit.types import Face, UInt8Array  # isort: skip  # it imports NumPy, see photos.py
import cv2

Rgb: TypeAlias = tuple[int, int, int]
Strip: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels of the area that a label covers."""

SELECTED_RGB = (46, 204, 113)
OTHER_RGB = (149, 165, 166)
LANDMARK_RGB = (241, 196, 15)
_TEXT_RGB = (0, 0, 0)  # on any color that a label has here: contrast above 7 to 1
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HERSHEY_HEIGHT_PX = 22.0  # of a capital letter at scale 1
_LEAST_TEXT_PX = 10.0
_DRAWS_UNICODE = int(cv2.__version__.partition(".")[0]) >= 5


def draw_faces(pixels: UInt8Array, faces: Sequence[Face], selected: Sequence[Face]) -> UInt8Array:
    """Returns a copy of (H, W, 3) RGB with every box; selected boxes have a color and a number.

    A selected face's number is its index in `selected`, from 0, as in the file name of its crop.
    Lines and letters grow with the photo, and stay small enough for the face.
    """
    drawn: UInt8Array = pixels.copy()
    chosen = {id(face) for face in selected}
    for face in faces:
        if id(face) not in chosen:
            draw_box(drawn, face, OTHER_RGB, max(1, line_px(drawn, face) // 2))
    for face in selected:
        thickness = line_px(drawn, face)
        radius = max(1, thickness * 3 // 4)
        draw_box(drawn, face, SELECTED_RGB, thickness)
        for x, y in face.landmarks_xy.tolist():
            center = (round(x), round(y))
            cv2.circle(drawn, center, radius, LANDMARK_RGB, -1, cv2.LINE_AA)
    strips: list[Strip] = []
    for number, face in enumerate(selected):  # after all boxes, so that no line crosses a number
        text_px = _number_px(drawn, face)
        strips.append(draw_label(drawn, str(number), face, SELECTED_RGB, text_px, strips))
    return drawn


def draw_box(drawn: UInt8Array, face: Face, color: Rgb, thickness: int) -> None:
    """Draws a face's box into (H, W, 3) RGB."""
    x1, y1, x2, y2 = (round(side) for side in face.box_xyxy.tolist())
    cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), color, thickness)


def line_px(pixels: UInt8Array, face: Face) -> int:
    """Returns the line width of a face's box, at most a twentieth of the face."""
    longest = float(max(pixels.shape[:2]))
    return max(1, round(min(longest / 400, min(face.width_px, face.height_px) / 20)))


def draw_label(
    drawn: UInt8Array, text: str, face: Face, color: Rgb, text_px: float, taken: Sequence[Strip]
) -> Strip:
    """Draws dark text on a filled strip, completely in the photo; returns the area that it covers.

    The strip is above the face's box, or below it if the photo ends there or a strip of `taken` is
    there.  `text_px`: height of a capital letter.
    """
    text = drawable(text)
    scale = text_px / _HERSHEY_HEIGHT_PX
    weight = max(1, round(scale))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, weight)
    gap = max(2, round(text_px / 4))
    width, height = text_width + 2 * gap, text_height + baseline + gap
    rows, columns = drawn.shape[:2]
    x1, y1, _, y2 = (round(side) for side in face.box_xyxy.tolist())
    left = min(max(x1, 0), max(columns - width, 0))
    inside = [top for top in (y1 - height, y2) if 0 <= top <= rows - height]
    tops = inside or [min(max(y1 - height, 0), max(rows - height, 0))]
    strips = [(left, top, left + width, top + height) for top in tops]
    strip = next(
        (one for one in strips if not any(_touch(one, other) for other in taken)), strips[0]
    )
    cv2.rectangle(drawn, strip[:2], strip[2:], color, cv2.FILLED)
    origin = (left + gap, strip[3] - baseline - gap // 2)
    cv2.putText(drawn, text, origin, _FONT, scale, _TEXT_RGB, weight, cv2.LINE_AA)
    return strip


def drawable(text: str) -> str:
    """Returns the text that this OpenCV can draw: before version 5, without accents."""
    if _DRAWS_UNICODE:
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _number_px(pixels: UInt8Array, face: Face) -> float:
    """Returns the height of a face's number, readable at the size of the photo, in pixels."""
    longest = float(max(pixels.shape[:2]))
    return max(_LEAST_TEXT_PX, min(max(0.15 * face.height_px, longest / 80), longest / 40))


def _touch(one: Strip, other: Strip) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
