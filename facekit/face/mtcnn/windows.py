"""Cuts boxes out of a picture, all in one size."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.types import Float32Array

_OUTSIDE = np.float32(-2)  # two pixels off the picture: nothing of it is blended in
_MOST_ROWS = 32_766  # cv2.remap counts rows of its result in 16 bits


def windows(image: Float32Array, boxes: Float32Array, *, side_px: int) -> Float32Array:
    """(H, W, 3) float32, (N, 4) px -> (N, side, side, 3) float32, bilinear samples.

    Samples lie on a grid from corner to corner of the box, whatever its size: a large box is
    sampled sparsely, not averaged.  A sample outside the picture is 0, which is gray.

    NB: this is TensorFlow's crop_and_resize as the mtcnn package calls it: box sides are divided
    by the picture's sides but multiplied by these less one, so that samples move towards the
    origin by up to one pixel.  The nets were ported with it; results are equal only with it.
    """
    height, width = image.shape[:2]
    columns = _grid(boxes[:, 0], boxes[:, 2], side_px, width)
    rows = _grid(boxes[:, 1], boxes[:, 3], side_px, height)
    at_once = _MOST_ROWS // side_px
    parts = [
        _sampled(image, columns[start : start + at_once], rows[start : start + at_once])
        for start in range(0, len(boxes), at_once)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, side_px, side_px, 3), np.float32)


def _grid(low: Float32Array, high: Float32Array, count: int, picture_px: int) -> Float32Array:
    """(N,), (N,) -> (N, count): sample positions along one axis, px; _OUTSIDE off the picture."""
    shrink = np.float32((picture_px - 1) / picture_px)
    first, last = low * shrink, high * shrink
    steps = np.arange(count, dtype=np.float32)
    positions = first[:, None] + steps * ((last - first) / np.float32(count - 1))[:, None]
    inside = (positions >= 0) & (positions <= picture_px - 1)
    return np.asarray(np.where(inside, positions, _OUTSIDE))


def _sampled(image: Float32Array, columns: Float32Array, rows: Float32Array) -> Float32Array:
    """(H, W, 3), (N, S), (N, S) -> (N, S, S, 3)."""
    count, side = columns.shape
    shape = (count, side, side)
    stacked = (count * side, side)  # one tall picture
    sampled = cv2.remap(
        image,
        np.broadcast_to(columns[:, None, :], shape).reshape(stacked),
        np.broadcast_to(rows[:, :, None], shape).reshape(stacked),
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(sampled, np.float32).reshape(*shape, 3)
