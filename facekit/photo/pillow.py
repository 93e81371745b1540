"""A Pillow picture's pixels.  Pillow itself is never imported: who has such a picture has it."""

from __future__ import annotations

from typing import Any, Protocol, cast

import cv2
import numpy as np

from facekit.photo.pixels import converted, over_white, upright
from facekit.types import UInt8Array

_ORIENTATION = 0x0112  # EXIF 2.3's tag


class PillowPicture(Protocol):
    """What is used of a PIL.Image.Image."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def mode(self) -> str: ...

    def convert(self, mode: str) -> Any: ...

    def getexif(self) -> Any: ...


def is_pillow(source: Any) -> bool:
    """Whether it has all that is used of one."""
    return all(hasattr(source, name) for name in ("getexif", "convert", "mode", "size"))


def pillow_pixels(picture: PillowPicture) -> UInt8Array:
    """(H, W, 3) RGB, alpha over white, turned upright by the picture's own EXIF data.

    Raises ValueError for a mode whose range nobody knows, and what Pillow raises for damage.
    """
    pixels = _rgb(picture)
    orientation = picture.getexif().get(_ORIENTATION, 1)  # Pillow turns a TIFF when it loads it
    return np.ascontiguousarray(upright(pixels, orientation if 1 <= orientation <= 8 else 1))


def _rgb(picture: PillowPicture) -> UInt8Array:
    """(H, W, 3) as Pillow has it, not yet turned upright."""
    if picture.mode.startswith("I;16"):  # convert() would cut 16 bits off at 255
        gray = cv2.convertScaleAbs(np.asarray(picture).astype(np.uint16), alpha=1 / 257)
        return converted(cast("UInt8Array", gray), cv2.COLOR_GRAY2RGB)
    if picture.mode in ("I", "F"):
        raise ValueError(f"its mode is {picture.mode}; convert it to RGB first")
    if picture.mode == "RGB":
        return np.array(picture, np.uint8)
    rgba = np.array(picture.convert("RGBA"), np.uint8)
    return over_white(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3:], premultiplied=False)
