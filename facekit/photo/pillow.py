"""Reads a Pillow image's pixels without importing Pillow."""

from __future__ import annotations

from typing import Any, Protocol, cast

import cv2
import numpy as np

from facekit.photo.pixels import converted, over_white, upright
from facekit.types import UInt8Array

_ORIENTATION = 0x0112  # EXIF 2.3's tag


class PillowPicture(Protocol):
    """The members of a PIL.Image.Image that are used."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def mode(self) -> str: ...

    def convert(self, mode: str) -> Any: ...

    def getexif(self) -> Any: ...


def is_pillow(source: Any) -> bool:
    """Whether an object has all these members."""
    return all(hasattr(source, name) for name in ("getexif", "convert", "mode", "size"))


def pillow_pixels(picture: PillowPicture) -> UInt8Array:
    """Returns (H, W, 3) RGB, with alpha over white, turned upright by the image's own EXIF data.

    Raises ValueError for a mode of unknown range, and Pillow's errors for damage.
    """
    pixels = _rgb(picture)
    orientation = picture.getexif().get(_ORIENTATION, 1)  # Pillow turns a TIFF when it loads it
    return np.ascontiguousarray(upright(pixels, orientation if 1 <= orientation <= 8 else 1))


def _rgb(picture: PillowPicture) -> UInt8Array:
    """Returns (H, W, 3) in the image's stored orientation."""
    if picture.mode.startswith("I;16"):  # convert() would clip 16 bits at 255
        gray = cv2.convertScaleAbs(np.asarray(picture).astype(np.uint16), alpha=1 / 257)
        return converted(cast("UInt8Array", gray), cv2.COLOR_GRAY2RGB)
    if picture.mode in ("I", "F"):
        raise ValueError(f"its mode is {picture.mode}; convert it to RGB first")
    if picture.mode == "RGB":
        return np.array(picture, np.uint8)
    rgba = np.array(picture.convert("RGBA"), np.uint8)
    return over_white(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3:], premultiplied=False)
