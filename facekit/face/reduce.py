"""Resizes photos for the search, and converts found faces back to the photo's pixels."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.types import Face, UInt8Array


def require_picture(image: UInt8Array) -> None:
    """Raises ValueError for anything but uint8 of shape (H, W, 3)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"Pictures must be uint8 of shape (H, W, 3). Received: {image.dtype} {image.shape}"
        )


def reduced(
    image: UInt8Array, height_px: int, width_px: int
) -> tuple[UInt8Array, tuple[float, float]]:
    """Returns the largest copy of (H, W, 3) within these dimensions, and the reduction in x and y.

    A reduction of 2 means that a pixel of the copy spans 2 pixels of the image.  An image that fits
    into the dimensions is returned unchanged, with the reduction (1, 1).
    """
    limits = (height_px, width_px)
    if _room(image, limits) >= 1:
        return image, (1.0, 1.0)
    copy, spanned = image, 1
    while _room(copy, limits) <= 0.5 and min(copy.shape[:2]) >= 2:
        # Halving is ten times faster than other ratios; an odd last row or column is dropped.
        height, width = (side // 2 for side in copy.shape[:2])
        copy = _resized(copy[: 2 * height, : 2 * width], height, width)
        spanned *= 2
    covered_height, covered_width = (side * spanned for side in copy.shape[:2])
    ratio = _room(copy, limits)
    height, width = (max(round(side * ratio), 1) for side in copy.shape[:2])
    return _resized(copy, height, width), (covered_width / width, covered_height / height)


def enlarged(
    image: UInt8Array, height_px: int, width_px: int
) -> tuple[UInt8Array, tuple[float, float]]:
    """Returns the largest, at most doubled copy of (H, W, 3), and the reduction in x and y.

    The copy fits into the dimensions; its reductions are less than 1.  An image that is not smaller
    than the dimensions is returned unchanged, with the reduction (1, 1).
    """
    ratio = min(_room(image, (height_px, width_px)), 2.0)
    if ratio <= 1:
        return image, (1.0, 1.0)
    height, width = (round(side * ratio) for side in image.shape[:2])
    copy = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return copy, (image.shape[1] / width, image.shape[0] / height)


def in_picture(face: Face, reduction: tuple[float, float]) -> Face:
    """Converts a face from pixels of a copy, reduced in x and y, to pixels of the photo."""
    if reduction == (1.0, 1.0):
        return face
    xy = np.array(reduction, np.float32)
    return Face(face.box_xyxy * np.tile(xy, 2), face.landmarks_xy * xy, face.score)


def _room(image: UInt8Array, limits: tuple[int, int]) -> float:
    """Returns the factor that scales the image to the largest size within the limits."""
    height, width = image.shape[:2]
    return min(limits[0] / float(height), limits[1] / float(width))


def _resized(image: UInt8Array, height: int, width: int) -> UInt8Array:
    """Resizes (H, W, 3) to (height, width, 3): each pixel is the mean of the area it covers."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
