"""How well a face can be recognized, from what the detector says of it."""

from __future__ import annotations

import numpy as np

from facekit.types import Face

_ENOUGH_PX = 160.0  # side of the embedding model's input: more pixels add nothing


def quality(face: Face, *, image_shape: tuple[int, ...]) -> float:
    """0..1: score x size x how frontal x the share of the box inside the (H, W, ...) picture."""
    size = min(face.area_px / _ENOUGH_PX**2, 1.0)
    return face.score * size * frontalness(face) * _share_inside(face, image_shape)


def frontalness(face: Face) -> float:
    """1 with the nose midway between the eyes, 0 with it at or beyond one of them."""
    left_eye, right_eye, nose = face.landmarks_xy[:3].astype(np.float64)
    line = right_eye - left_eye
    length_squared = float(line @ line)
    if length_squared == 0:
        return 0.0
    along = float((nose - left_eye) @ line) / length_squared
    return max(0.0, 1.0 - 2.0 * abs(along - 0.5))


def _share_inside(face: Face, image_shape: tuple[int, ...]) -> float:
    x1, y1, x2, y2 = face.box_xyxy.tolist()
    width = min(x2, image_shape[1]) - max(x1, 0.0)
    height = min(y2, image_shape[0]) - max(y1, 0.0)
    return max(width, 0.0) * max(height, 0.0) / face.area_px if face.area_px else 0.0
