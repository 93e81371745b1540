"""Boxes and names drawn into a frame."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from facekit.types import UInt8Array
from facekit.video.records import VisibleFace

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_KNOWN_RGB = (46, 204, 113)
_UNKNOWN_RGB = (241, 196, 15)
_TEXT_RGB = (0, 0, 0)  # on either colour: contrast above 9 to 1
_LEAST_TEXT_PX = 14.0
_TEXT_SHARE = 0.035  # of the frame's height
_HERSHEY_HEIGHT_PX = 22.0  # of a capital letter at scale 1
_DRAWS_UNICODE = int(cv2.__version__.partition(".")[0]) >= 5


def annotated(pixels: UInt8Array, faces: Sequence[VisibleFace]) -> UInt8Array:
    """A copy of (H, W, 3) RGB with every face's box, track number and name."""
    drawn: UInt8Array = pixels.copy()
    text_px = max(_LEAST_TEXT_PX, _TEXT_SHARE * pixels.shape[0])
    thickness = max(1, round(text_px / 8))
    for face in faces:
        known = face.identity.name is not None
        colour = _KNOWN_RGB if known else _UNKNOWN_RGB
        x1, y1, x2, y2 = (round(side) for side in face.face.box_xyxy.tolist())
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), colour, thickness)
        _label(drawn, label(face), (x1, y1, y2), colour, text_px)
    return drawn


def label(face: VisibleFace) -> str:
    """#3 Ada 0.71"""
    name, similarity = face.identity.name, face.identity.similarity
    text = f"#{face.track} {drawable(name or 'unknown')}"
    return text if similarity is None else f"{text} {similarity:.2f}"


def drawable(text: str) -> str:
    """The text as this OpenCV can draw it: before version 5, without accents."""
    if _DRAWS_UNICODE:
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _label(
    drawn: UInt8Array,
    text: str,
    box_x1_y1_y2: tuple[int, int, int],
    colour: tuple[int, int, int],
    text_px: float,
) -> None:
    """Dark text on a filled strip above the box; below it where there is no room; always inside."""
    scale = text_px / _HERSHEY_HEIGHT_PX
    weight = max(1, round(scale))
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, weight)
    gap = max(2, round(text_px / 4))
    strip = height + baseline + gap
    rows, columns = drawn.shape[:2]
    x1, y1, y2 = box_x1_y1_y2
    left = int(np.clip(x1, 0, max(columns - width - 2 * gap, 0)))
    top = y1 - strip if y1 >= strip else y2
    top = int(np.clip(top, 0, max(rows - strip, 0)))
    cv2.rectangle(drawn, (left, top), (left + width + 2 * gap, top + strip), colour, cv2.FILLED)
    origin = (left + gap, top + strip - baseline - gap // 2)
    cv2.putText(drawn, text, origin, _FONT, scale, _TEXT_RGB, weight, cv2.LINE_AA)
