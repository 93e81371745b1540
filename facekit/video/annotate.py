"""Boxes and names drawn into a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2

from facekit.photo.draw import drawable
from facekit.types import UInt8Array
from facekit.video.records import VisibleFace

Strip: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels, what a label covers"""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_KNOWN_RGB = (46, 204, 113)
_UNKNOWN_RGB = (241, 196, 15)
_TEXT_RGB = (0, 0, 0)  # on either color: contrast above 9 to 1
_LEAST_TEXT_PX = 14.0
_TEXT_SHARE = 0.035  # of the frame's height
_HERSHEY_HEIGHT_PX = 22.0  # of a capital letter at scale 1


def annotated(pixels: UInt8Array, faces: Sequence[VisibleFace]) -> UInt8Array:
    """A copy of (H, W, 3) RGB with every face's box, track number and name."""
    drawn: UInt8Array = pixels.copy()
    text_px = max(_LEAST_TEXT_PX, _TEXT_SHARE * pixels.shape[0])
    thickness = max(1, round(text_px / 8))
    strips: list[Strip] = []
    for face in faces:
        color = _UNKNOWN_RGB if face.identity.name is None else _KNOWN_RGB
        x1, y1, x2, y2 = (round(side) for side in face.face.box_xyxy.tolist())
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), color, thickness)
    for face in faces:  # after all boxes, so that no line crosses a name
        strips.append(_label(drawn, face, strips, text_px))
    return drawn


def label(face: VisibleFace) -> str:
    """#3 Ada 0.71, or #3 where there is nobody to compare with."""
    name, similarity = face.identity.name, face.identity.similarity
    if similarity is None:
        return f"#{face.track}"
    return f"#{face.track} {drawable(name or 'unknown')} {similarity:.2f}"


def _label(drawn: UInt8Array, face: VisibleFace, taken: Sequence[Strip], text_px: float) -> Strip:
    """Dark text on a filled strip: above the box, or below it where there is no room."""
    text = label(face)
    scale = text_px / _HERSHEY_HEIGHT_PX
    weight = max(1, round(scale))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, weight)
    gap = max(2, round(text_px / 4))
    width, height = text_width + 2 * gap, text_height + baseline + gap
    rows, columns = drawn.shape[:2]
    x1, y1, _, y2 = (round(side) for side in face.face.box_xyxy.tolist())
    left = min(max(x1, 0), max(columns - width, 0))
    tops = [min(max(top, 0), max(rows - height, 0)) for top in (y1 - height, y2)]
    strips = [(left, top, left + width, top + height) for top in tops]
    strip = next(
        (one for one in strips if not any(_touch(one, other) for other in taken)), strips[0]
    )
    color = _UNKNOWN_RGB if face.identity.name is None else _KNOWN_RGB
    cv2.rectangle(drawn, strip[:2], strip[2:], color, cv2.FILLED)
    origin = (left + gap, strip[3] - baseline - gap // 2)
    cv2.putText(drawn, text, origin, _FONT, scale, _TEXT_RGB, weight, cv2.LINE_AA)
    return strip


def _touch(one: Strip, other: Strip) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
