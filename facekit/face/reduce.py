"""Pictures are searched on a copy of another size; what is found is told in their own pixels."""

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
    """(H, W, 3) -> the largest copy within these sides, and its reduction in x and y.

    One pixel of the copy spans as many of the image as the reduction says.  The image itself and
    (1, 1) where it lies within them.
    """
    limits = (height_px, width_px)
    if _room(image, limits) >= 1:
        return image, (1.0, 1.0)
    copy, spanned = image, 1
    while _room(copy, limits) <= 0.5 and min(copy.shape[:2]) >= 2:
        # Halving is ten times faster than other ratios; an odd last line is left out.
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
    """(H, W, 3) -> the largest copy within these sides, at most twice as large, and its reduction
    in x and y, less than one.

    The image itself and (1, 1) where it is not smaller.
    """
    ratio = min(_room(image, (height_px, width_px)), 2.0)
    if ratio <= 1:
        return image, (1.0, 1.0)
    height, width = (round(side * ratio) for side in image.shape[:2])
    copy = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return copy, (image.shape[1] / width, image.shape[0] / height)


def in_picture(face: Face, reduction: tuple[float, float]) -> Face:
    """The face in pixels of the picture, from those of a copy reduced by this in x and y."""
    if reduction == (1.0, 1.0):
        return face
    xy = np.array(reduction, np.float32)
    return Face(face.box_xyxy * np.tile(xy, 2), face.landmarks_xy * xy, face.score)


def _room(image: UInt8Array, limits: tuple[int, int]) -> float:
    """By what the image must be multiplied for its sides to be within the limits, and fill one."""
    height, width = image.shape[:2]
    return min(limits[0] / float(height), limits[1] / float(width))


def _resized(image: UInt8Array, height: int, width: int) -> UInt8Array:
    """(H, W, 3) -> (height, width, 3): each pixel the mean of the area it covers."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
