"""Faces by hand."""

from __future__ import annotations

import numpy as np

from facekit.types import Face

_LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
"""of a frontal face, as shares of its box"""


def face(
    x1: float, y1: float, x2: float, y2: float, *, score: float = 1.0, nose: float = 0.5
) -> Face:
    """`nose`: where it is across the box, 0.3 under the left eye, 0.7 under the right one."""
    landmarks = _LANDMARKS.copy()
    landmarks[2, 0] = nose
    corner, size = np.array([x1, y1]), np.array([x2 - x1, y2 - y1])
    return Face(
        np.array([x1, y1, x2, y2], np.float32),
        np.asarray(corner + landmarks * size, np.float32),
        score,
    )
