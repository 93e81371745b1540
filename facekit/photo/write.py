"""Writes pixels as PNG and JPEG files: crops, drawings, plots."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facekit.system.files import write_atomically
from facekit.types import UInt8Array

JPEG_QUALITY = 95


def write_png(path: Path, pixels: UInt8Array) -> None:
    """Writes (H, W, 3) RGB uint8 as a PNG file under a temporary name, then renames it.

    Raises StorageError if the file cannot be written.
    """
    write_atomically(path, _encoded(".png", pixels, []))


def write_crops(folder: Path, stem: str, crops: UInt8Array) -> list[Path]:
    """Writes (N, H, W, 3) RGB crops as folder/<stem>_<number from 0>.png; returns the paths."""
    paths = [folder / f"{stem}_{index}.png" for index in range(len(crops))]
    for path, crop in zip(paths, crops, strict=True):
        write_png(path, crop)
    return paths


def write_jpeg(path: Path, pixels: UInt8Array, *, quality: int = JPEG_QUALITY) -> None:
    """Writes (H, W, 3) RGB uint8 as a JPEG file, `quality` 0..100.  Raises as write_png does."""
    write_atomically(path, jpeg_bytes(pixels, quality=quality))


def jpeg_bytes(pixels: UInt8Array, *, quality: int = JPEG_QUALITY) -> bytes:
    """Returns (H, W, 3) RGB uint8 as the content of a JPEG file, `quality` 0..100."""
    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encoded(suffix: str, pixels: UInt8Array, parameters: list[int]) -> bytes:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            "Pixels must be uint8 of shape (H, W, 3) and not empty. "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(suffix, bgr, parameters)
    if not done:  # a side above JPEG's 65500
        raise ValueError(f"{pixels.shape} pixels do not fit the format {suffix}")
    return bytes(encoded)
