"""Crops to model input, by the model's own card.  The only pixel scaling for every net."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facekit.types import ColourOrder, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a net wants to be fed: value = (pixel - mean) / std, in `colour_order`."""

    height_px: int
    width_px: int
    colour_order: ColourOrder
    mean: float
    """in pixel values 0..255"""
    std: float
    """in pixel values; not zero"""

    def __post_init__(self) -> None:
        if self.height_px < 1 or self.width_px < 1:
            raise ValueError(f"Input sides must be positive. Received: {self}")
        if not (np.isfinite(self.mean) and np.isfinite(self.std) and self.std > 0):
            raise ValueError(f"mean must be finite and std positive. Received: {self}")


def model_input(crops: UInt8Array, spec: InputSpec) -> Float32Array:
    """(N, H, W, 3) RGB uint8 crops of the spec's size -> (N, H, W, 3) float32 model input.

    Raises ValueError for another dtype, channel count or size: nothing is resized here.
    """
    wanted = (spec.height_px, spec.width_px, 3)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != wanted:
        raise ValueError(
            f"Crops must be uint8 of shape (N, {wanted[0]}, {wanted[1]}, 3). "
            f"Received: {crops.dtype} {crops.shape}"
        )
    ordered = crops if spec.colour_order is ColourOrder.RGB else crops[..., ::-1]
    scaled = np.subtract(ordered, np.float32(spec.mean), dtype=np.float32)
    scaled /= np.float32(spec.std)
    return np.asarray(scaled)
