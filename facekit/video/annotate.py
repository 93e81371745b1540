"""Draws boxes and names into a frame."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.photo.draw import Rgb, Strip, draw_box, draw_label
from facekit.types import UInt8Array
from facekit.video.records import VisibleFace

_KNOWN_RGB = (46, 204, 113)
_UNKNOWN_RGB = (241, 196, 15)
_LEAST_TEXT_PX = 14.0
_TEXT_SHARE = 0.035  # height of the text, as a share of the frame's height


def annotated(pixels: UInt8Array, faces: Sequence[VisibleFace]) -> UInt8Array:
    """Returns a copy of (H, W, 3) RGB with the box of every face and, above it, the person's
    name."""
    drawn: UInt8Array = pixels.copy()
    text_px = max(_LEAST_TEXT_PX, _TEXT_SHARE * pixels.shape[0])
    thickness = max(1, round(text_px / 8))
    for face in faces:
        draw_box(drawn, face.face, _color(face), thickness)
    strips: list[Strip] = []
    for face in faces:  # after all boxes, so that no line crosses a name
        strips.append(draw_label(drawn, label(face), face.face, _color(face), text_px, strips))
    return drawn


def label(face: VisibleFace) -> str:
    """Returns name and similarity, e.g. "Ada 0.71", or the track's number, e.g. "unknown 3"."""
    name, similarity = face.identity.name, face.identity.similarity
    if name is None:
        return f"unknown {face.track}"
    return name if similarity is None else f"{name} {similarity:.2f}"


def _color(face: VisibleFace) -> Rgb:
    return _UNKNOWN_RGB if face.identity.name is None else _KNOWN_RGB
