"""Computes the image pyramid: the sizes in which a photo is searched."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.face.mtcnn.options import PNET_WINDOW_PX
from facekit.types import Float32Array


def pyramid_scales(
    height_px: int, width_px: int, *, min_face_px: float, scale_factor: float
) -> tuple[float, ...]:
    """Returns the scales at which P-Net's window spans min_face_px, min_face_px / scale_factor, ...

    At the last scale the photo's shorter side is at least one window long.  Returns () for a photo
    smaller than the smallest face.

    NB: the mtcnn package rounds the number of levels, which it computes for min_face_px = 20 only.
    The results agree except for sides that leave 12.00 to 12.06 px at the last level.
    """
    scales = []
    scale = PNET_WINDOW_PX / min_face_px
    while int(min(height_px, width_px) * scale) >= PNET_WINDOW_PX:
        scales.append(scale)
        scale *= scale_factor
    return tuple(scales)


def level(image: Float32Array, scale: float) -> Float32Array:
    """Resizes (H, W, 3) to (int(H scale), int(W scale), 3) by averaging each pixel's area."""
    height, width = image.shape[:2]
    size = (int(width * scale), int(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
