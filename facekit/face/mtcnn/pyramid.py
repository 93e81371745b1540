"""The sizes in which a picture is searched."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.face.mtcnn.options import PNET_WINDOW_PX
from facekit.types import Float32Array


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
