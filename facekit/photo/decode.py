"""Decodes photos to (H, W, 3) RGB uint8.  No other module of facekit decodes photos.

The formats are JPEG, PNG, WebP, BMP, TIFF (first page) and GIF (first frame), converted as follows:

    EXIF orientation    applied, all eight, whatever the format
    gray, 1-bit, palette    expanded to RGB
    alpha               composited over white
    16 bits a sample    round(v / 257), so that 65535 becomes 255
    CMYK, YCCK          as OpenCV converts them, without a color profile

A source may also be a binary file object, an RGB array, or a Pillow image; Pillow need not be
installed.  Color profiles are not applied.  Limits are checked before anything is decoded.
Truncated and damaged files are refused, because OpenCV would fill the missing parts with gray.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import ImageError, ImageTooLargeError
from facekit.photo.formats import HeaderError, ImageFormat
from facekit.photo.header import Header, read_header
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits, require_pixels, require_within
from facekit.photo.pillow import PillowPicture, is_pillow, pillow_pixels
from facekit.photo.pixels import READS_RGB, rgb, upright
from facekit.photo.reading import (
    EncodedSource,
    PictureSource,
    no_source,
    printable,
    read_bytes,
    shown_name,
    source_name,
)
from facekit.system.inputs import InputKind, reading
from facekit.system.native_output import captured
from facekit.types import UInt8Array

_PHOTO = InputKind("a photo", ImageError, DEFAULT_LIMITS.max_bytes)


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class Picture:
    """A decoded photo and its source."""

    name: str
    """The path as the caller gave it, "-" for standard input, or the name of a file object or of a
    Pillow image; "<bytes>", "<file>", "<array>" or "<picture>" for a source without a name."""
    pixels: UInt8Array
    """(H, W, 3) RGB, in the orientation in which people see the photo."""
    sha256: str
    """Hexadecimal SHA-256 of the encoded file, or of `pixels` if the source is an array or Pillow
    image."""

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(
                "pixels must be uint8 of shape (H, W, 3). "
                f"Received: {self.pixels.dtype} {self.pixels.shape}"
            )

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture({self.name!r}, {width} x {height}, sha256={self.sha256[:12]!r}...)"


def load_picture(source: PictureSource, *, limits: ImageLimits = DEFAULT_LIMITS) -> Picture:
    """Decodes a photo; returns the pixels with the photo's name and hash.

    A Pillow image is turned upright by the EXIF data in the image.
    Raises ImageError if the photo cannot be read, ImageTooLargeError if it exceeds a limit, and
    UsageError for an invalid source.  The message is one line with the photo's name and the reason.
    """
    if isinstance(source, np.ndarray):
        return _of_pixels("<array>", source)
    if is_pillow(source):
        return _of_pillow(cast("PillowPicture", source), limits)
    source = cast("EncodedSource", source)
    data = read_bytes(source, limits=limits)
    return Picture(
        name=source_name(source),
        pixels=_decode(data, shown=shown_name(source), limits=limits),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def read_image(source: EncodedSource, *, limits: ImageLimits = DEFAULT_LIMITS) -> UInt8Array:
    """Returns the (H, W, 3) RGB uint8 pixels of a photo.  Raises the errors of load_picture."""
    return _decode(read_bytes(source, limits=limits), shown=shown_name(source), limits=limits)


def _of_pixels(name: str, pixels: NDArray[Any]) -> Picture:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise no_source(f"an array of {pixels.dtype} {pixels.shape}")
    return Picture(name, pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def _of_pillow(picture: PillowPicture, limits: ImageLimits) -> Picture:
    name = getattr(picture, "filename", "") or "<picture>"
    name = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else "<picture>"
    width_px, height_px = picture.size
    shown = printable(name)
    require_pixels(width_px, height_px, shown, limits)
    with reading(_PHOTO, shown):
        return _of_pixels(name, pillow_pixels(picture))


def _decode(data: bytes, *, shown: str, limits: ImageLimits) -> UInt8Array:
    with reading(_PHOTO, shown):
        try:
            header = read_header(data)
            require_within(header, shown, limits)
            return upright(rgb(_decoded(data, header), header), header.orientation)
        except HeaderError as error:
            raise ImageError(f"Cannot read {shown}: {error}") from error
        except (cv2.error, MemoryError) as error:
            raise ImageTooLargeError(
                f"Cannot read {shown}: there is not enough memory for it, or it is over OpenCV's "
                "own limits. Make it smaller."
            ) from error


_COLOR = cv2.IMREAD_COLOR_RGB if READS_RGB else cv2.IMREAD_COLOR
_PLAIN = _COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_CHATTER = re.compile(
    rb"\s*$|> |\[ ?(WARN|ERROR|INFO|DEBUG)[:@]|libpng |Corrupt JPEG|Premature end of JPEG"
    rb"|Inconsistent progression|Invalid SOS|Warning: unknown JFIF|Unknown Adobe|imdecode_\("
)
_DAMAGE = re.compile(
    r"premature end|bad (Huffman|arithmetic) code|instead of RST|TIFF_Error", re.IGNORECASE
)
"""Messages after which a decoder fills in invented pixels; other messages are ignored."""


def _decoded(data: bytes, header: Header) -> NDArray[Any]:
    """Returns (H, W, 3) uint8 if header.plain, in RGB if READS_RGB, else the samples as OpenCV
    returns them.

    These are (H, W) gray, (H, W, 3) BGR or (H, W, 4) BGRA, with the file's type, e.g. uint16.
    Raises HeaderError for damage, cv2.error if memory is short or OpenCV's own limits are exceeded.
    """
    flags = _PLAIN if header.plain else cv2.IMREAD_UNCHANGED
    encoded = np.frombuffer(data, np.uint8)
    with captured(lambda line: _CHATTER.match(line) is not None) as messages:
        try:
            decoded = cast("NDArray[Any] | None", cv2.imdecode(encoded, flags))
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem or "CV_IO_MAX_IMAGE" in str(error):
                raise
            decoded = None
    name = header.format.value
    if decoded is None:
        # Every OpenCV has the decoder for BMP, which its list therefore leaves out.
        if header.format is not ImageFormat.BMP and not re.search(
            rf"^ *{name}: +(?!NO\b)\S", cv2.getBuildInformation(), re.MULTILINE
        ):
            raise HeaderError(
                f"this OpenCV ({cv2.__version__}) has no {name} decoder. "
                "Upgrade opencv-python-headless, or convert the file to JPEG or PNG."
            )
        raise HeaderError(f"its {name} data is damaged or truncated, or of a kind that is not read")
    for message in messages:
        if damage := _DAMAGE.search(message):
            raise HeaderError(f"its {name} data is damaged or truncated ({damage[0]})")
    if decoded.shape[0] * decoded.shape[1] != header.width_px * header.height_px:
        raise HeaderError(
            f"it is damaged: its header declares {header.width_px} x {header.height_px} pixels, "
            f"its data has {decoded.shape[1]} x {decoded.shape[0]}"
        )
    return decoded
