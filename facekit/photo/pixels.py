"""Converts decoded samples to (H, W, 3) RGB uint8, upright."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.photo.formats import HeaderError
from facekit.photo.header import Header
from facekit.types import UInt8Array

READS_RGB = hasattr(cv2, "IMREAD_COLOR_RGB")
"""From OpenCV 4.11 on; before, a plain photo is read as BGR and its channels are swapped."""


_STRIP_PIXELS = 1 << 17


def rgb(decoded: NDArray[Any], header: Header) -> UInt8Array:
    """Converts what OpenCV decoded for `header` to (H, W, 3) RGB, in the stored orientation.

    Converts strip by strip, so that the copies between take little memory.  Overwrites `decoded`.
    """
    if decoded.dtype not in (np.uint8, np.uint16):
        raise HeaderError(f"its samples are {decoded.dtype}, not whole numbers of 8 or 16 bits")
    if header.plain and READS_RGB:
        return cast("UInt8Array", decoded)
    height, width = decoded.shape[:2]
    strip_rows = max(_STRIP_PIXELS // width, 1)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, strip_rows):
        rows = slice(top, top + strip_rows)
        pixels[rows] = _strip(decoded[rows], header)
    return pixels


def _strip(decoded: NDArray[Any], header: Header) -> UInt8Array:
    if header.transparent_gray is not None:
        decoded[decoded == header.transparent_gray] = np.iinfo(decoded.dtype).max
    if decoded.dtype == np.uint16:
        decoded = cv2.convertScaleAbs(decoded, alpha=1 / 257)  # rounds
    if decoded.ndim == 2:
        return converted(decoded, cv2.COLOR_GRAY2RGB)
    if decoded.shape[2] == 3:
        return converted(decoded, cv2.COLOR_BGR2RGB)
    return over_white(
        converted(decoded, cv2.COLOR_BGRA2RGB),
        decoded[..., 3:],
        premultiplied=header.premultiplied,
    )


def converted(pixels: UInt8Array, code: int) -> UInt8Array:
    return cast("UInt8Array", cv2.cvtColor(pixels, code))


def over_white(color: UInt8Array, alpha: UInt8Array, *, premultiplied: bool) -> UInt8Array:
    """Composites (H, W, 3) with alpha (H, W, 1) over white: (H, W, 3)."""
    if alpha.min() == 255:
        return color
    wide = alpha.astype(np.uint16)
    if premultiplied:
        mixed = np.minimum(color + (255 - wide), 255)
    else:
        mixed = 255 - ((255 - color) * wide + 127) // 255
    return np.asarray(mixed, np.uint8)


def upright(pixels: UInt8Array, orientation: int) -> UInt8Array:
    """Turns stored pixels upright by EXIF 2.3's Orientation (table 6)."""
    axis = _FLIPS[orientation]
    if orientation < 5:
        return pixels if axis is None else cast("UInt8Array", cv2.flip(pixels, axis))
    turned = cast("UInt8Array", cv2.transpose(pixels))
    return turned if axis is None else cast("UInt8Array", cv2.flip(turned, axis, dst=turned))


_ROWS, _COLUMNS, _BOTH = 0, 1, -1  # cv2.flip's codes
_FLIPS = {1: None, 2: _COLUMNS, 3: _BOTH, 4: _ROWS, 5: None, 6: _COLUMNS, 7: _BOTH, 8: _ROWS}
