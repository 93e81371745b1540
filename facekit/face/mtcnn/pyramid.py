"""The sizes in which a picture is searched."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.face.mtcnn.options import PNET_WINDOW_PX
from facekit.types import Float32Array, UInt8Array


def pyramid_scales(
    height_px: int, width_px: int, *, min_face_px: float, scale_factor: float
) -> tuple[float, ...]:
    """Reductions at which P-Net's window spans `min_face_px`, then 1/`scale_factor` times it, ...

    The last one leaves the shorter side at least one window long; () for a picture smaller than
    the smallest face.

    NB: the mtcnn package rounds the number of levels, which it derives from min_face_px = 20
    alone; there the two agree but for sides that leave the last level 12.00 to 12.06 px.
    """
    scales = []
    scale = PNET_WINDOW_PX / min_face_px
    while int(min(height_px, width_px) * scale) >= PNET_WINDOW_PX:
        scales.append(scale)
        scale *= scale_factor
    return tuple(scales)


def level(image: Float32Array, scale: float) -> Float32Array:
    """(H, W, 3) -> (int(H scale), int(W scale), 3): each pixel the mean of the area it covers."""
    height, width = image.shape[:2]
    size = (int(width * scale), int(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def reduced(image: UInt8Array, search_side_px: int) -> tuple[UInt8Array, tuple[float, float]]:
    """(H, W, 3) -> a copy with a longer side of `search_side_px`, and its reduction in x and y.

    One pixel of the copy spans as many of the image as the reduction says.  The image itself and
    (1, 1) where it is not larger, or where `search_side_px` is 0.
    """
    if search_side_px == 0 or max(image.shape[:2]) <= search_side_px:
        return image, (1.0, 1.0)
    copy, spanned = image, 1
    while max(copy.shape[:2]) >= 2 * search_side_px and min(copy.shape[:2]) >= 2:
        # Halving is ten times faster than other ratios; an odd last line is left out.
        height, width = (side // 2 for side in copy.shape[:2])
        copy = _resized(copy[: 2 * height, : 2 * width], height, width)
        spanned *= 2
    covered_height, covered_width = (side * spanned for side in copy.shape[:2])
    ratio = search_side_px / max(copy.shape[:2])
    height, width = (max(round(side * ratio), 1) for side in copy.shape[:2])
    return _resized(copy, height, width), (covered_width / width, covered_height / height)


def _resized(image: UInt8Array, height: int, width: int) -> UInt8Array:
    """(H, W, 3) -> (height, width, 3): each pixel the mean of the area it covers."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
