"""Rates how well a face can be recognized, by the detector's output."""

from __future__ import annotations

import numpy as np

from facekit.types import Face

_ENOUGH_PX = 160.0  # the embedding model's input size: more pixels add nothing


def quality(face: Face, *, image_shape: tuple[int, ...]) -> float:
    """Returns score x size x frontalness x share of the box inside the (H, W, ...) photo, 0..1."""
    size = min(face.area_px / _ENOUGH_PX**2, 1.0)
    return face.score * size * frontalness(face) * _share_inside(face, image_shape)


def frontalness(face: Face) -> float:
    """Returns 1 if the nose is midway between the eyes, 0 if it is at or beyond an eye."""
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
