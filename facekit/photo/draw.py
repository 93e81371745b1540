"""Boxes, landmarks and text drawn into a picture."""

from __future__ import annotations

import unicodedata

import cv2

from facekit.types import Face, UInt8Array

SELECTED_RGB = (46, 204, 113)
OTHER_RGB = (149, 165, 166)
LANDMARK_RGB = (241, 196, 15)
_DRAWS_UNICODE = int(cv2.__version__.partition(".")[0]) >= 5


def draw_faces(
    pixels: UInt8Array, faces: tuple[Face, ...], selected: tuple[Face, ...]
) -> UInt8Array:
    """A copy of (H, W, 3) RGB with every box, the selected ones in color and with landmarks."""
    drawn: UInt8Array = pixels.copy()
    thickness = max(1, round(max(pixels.shape[:2]) / 400))
    chosen = {id(face) for face in selected}
    for face in faces:
        is_selected = id(face) in chosen
        x1, y1, x2, y2 = (round(value) for value in face.box_xyxy.tolist())
        color = SELECTED_RGB if is_selected else OTHER_RGB
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), color, thickness)
        if is_selected:
            for x, y in face.landmarks_xy.tolist():
                center = (round(x), round(y))
                cv2.circle(drawn, center, thickness + 1, LANDMARK_RGB, -1, cv2.LINE_AA)
    return drawn


def drawable(text: str) -> str:
    """The text as this OpenCV can draw it: before version 5, without accents."""
    if _DRAWS_UNICODE:
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
