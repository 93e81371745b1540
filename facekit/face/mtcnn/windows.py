"""Samples boxes of a photo at one size."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.types import Float32Array

_OUTSIDE = np.float32(-2)  # two pixels beyond the photo, so that no pixel of it is blended in
_MOST_ROWS = 32_766  # cv2.remap numbers the rows of its result in 16 bits


def windows(image: Float32Array, boxes: Float32Array, *, side_px: int) -> Float32Array:
    """Samples (N, 4) boxes in px of (H, W, 3) float32 bilinearly: (N, side, side, 3) float32.

    The samples lie on a grid from corner to corner of the box, whatever its size: a large box is
    sampled sparsely, not averaged.  A sample outside the photo is 0, which is gray.

    NB: this is TensorFlow's crop_and_resize as the mtcnn package calls it.  Boxes are divided by
    the photo's height and width, but multiplied by height minus one and width minus one, so that
    samples move towards the origin by up to one pixel.  The nets were ported with this sampling, so
    other samplings have other results.
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
    """Returns (N, count) sample positions in px along one axis; _OUTSIDE if beyond the photo."""
    shrink = np.float32((picture_px - 1) / picture_px)
    first, last = low * shrink, high * shrink
    steps = np.arange(count, dtype=np.float32)
    positions = first[:, None] + steps * ((last - first) / np.float32(count - 1))[:, None]
    inside = (positions >= 0) & (positions <= picture_px - 1)
    return np.asarray(np.where(inside, positions, _OUTSIDE))


def _sampled(image: Float32Array, columns: Float32Array, rows: Float32Array) -> Float32Array:
    """Samples (H, W, 3) at the (N, S) columns and rows: (N, S, S, 3)."""
    count, side = columns.shape
    shape = (count, side, side)
    stacked = (count * side, side)  # one tall image
    sampled = cv2.remap(
        image,
        np.broadcast_to(columns[:, None, :], shape).reshape(stacked),
        np.broadcast_to(rows[:, :, None], shape).reshape(stacked),
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(sampled, np.float32).reshape(*shape, 3)
