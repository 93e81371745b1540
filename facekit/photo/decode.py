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
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import ImageError, ImageTooLargeError, UsageError
from facekit.photo.formats import HeaderError
from facekit.photo.header import Header, read_header
from facekit.photo.pillow import PillowPicture, is_pillow, pillow_pixels
from facekit.photo.pixels import READS_RGB, rgb, upright
from facekit.system.native_output import captured
from facekit.types import UInt8Array

_Path: TypeAlias = "str | os.PathLike[str] | os.PathLike[bytes]"


EncodedSource: TypeAlias = "_Path | bytes | BinaryIO"
"""A path, "-" for standard input, the bytes of an encoded photo, or a binary file object, which is
read to its end."""
PictureSource: TypeAlias = "EncodedSource | UInt8Array | PillowPicture"
"""An encoded source, or pixels: uint8 (H, W, 3) RGB, or a Pillow image."""

_STDIN = "-"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits above which a photo is refused before it is decoded."""

    max_pixels: int = 100_000_000
    """Largest width x height; a decoded pixel takes 3 bytes, and up to 8 during decoding."""
    max_bytes: int = 256_000_000
    """Largest size of the encoded file."""

    def __post_init__(self) -> None:
        if self.max_pixels < 1 or self.max_bytes < 1:
            raise ValueError(f"Limits must be positive. Received: {self}")


DEFAULT_LIMITS = ImageLimits()


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
        pixels=_decode(data, shown=_shown(source), limits=limits),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def read_image(source: EncodedSource, *, limits: ImageLimits = DEFAULT_LIMITS) -> UInt8Array:
    """Returns the (H, W, 3) RGB uint8 pixels of a photo.  Raises the errors of load_picture."""
    return _decode(read_bytes(source, limits=limits), shown=_shown(source), limits=limits)


def read_bytes(source: EncodedSource, *, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
    """Returns the bytes of the encoded photo.

    Stops reading soon after `limits.max_bytes`, even if a pipe has no end.  Raises ImageError if
    the source cannot be read, ImageTooLargeError above the limit, and UsageError for an invalid
    source.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        chunks = [bytes(source)]
    elif not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        raise _no_source(type(source).__name__)
    else:
        try:
            if (
                isinstance(source, (str, os.PathLike))
                and source != _STDIN
                and os.stat(source).st_size > limits.max_bytes
            ):
                raise _over_bytes(source, limits)
            with _opened(source) as file:
                chunks = _chunks(file, limits.max_bytes)
        except IsADirectoryError as error:
            raise ImageError(
                f"Cannot read {_shown(source)}: it is a directory. Name the pictures in it."
            ) from error
        except OSError as error:
            raise ImageError(f"Cannot read {_shown(source)}: {error.strerror or error}") from error
        except ValueError as error:  # a null character in the name, or standard input is closed
            raise ImageError(f"Cannot read {_shown(source)}: {error}") from error
    if sum(map(len, chunks)) > limits.max_bytes:
        raise _over_bytes(source, limits)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _no_source(received: str) -> UsageError:
    return UsageError(
        'A picture is a path, "-" for standard input, bytes, a binary file object, a uint8 RGB '
        f"array of shape (H, W, 3), or a Pillow picture. Received: {received}"
    )


def _of_pixels(name: str, pixels: NDArray[Any]) -> Picture:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise _no_source(f"an array of {pixels.dtype} {pixels.shape}")
    return Picture(name, pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def _of_pillow(picture: PillowPicture, limits: ImageLimits) -> Picture:
    name = getattr(picture, "filename", "") or "<picture>"
    name = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else "<picture>"
    width_px, height_px = picture.size
    shown = _printable(name)
    _require_pixels(width_px, height_px, shown, limits)
    try:
        return _of_pixels(name, pillow_pixels(picture))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's errors for a damaged file
        raise ImageError(f"Cannot read {shown}: {error}") from error


def _over_bytes(source: EncodedSource, limits: ImageLimits) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"Cannot read {_shown(source)}: it has more bytes than the limit of "
        f"{limits.max_bytes / 1e6:g} MB. Make it smaller."
    )


def _opened(source: _Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if not isinstance(source, (str, os.PathLike)):
        return nullcontext(source)
    if source != _STDIN:
        return open(source, "rb")
    if sys.stdin is None:
        raise ValueError("it is closed")
    return nullcontext(sys.stdin.buffer)


def _chunks(file: BinaryIO, enough_bytes: int) -> list[bytes]:
    """Reads the file until its end, or until more than `enough_bytes` are read."""
    chunks: list[bytes] = []
    total = 0
    while total <= enough_bytes and (chunk := file.read(_CHUNK_BYTES)):
        if not isinstance(chunk, bytes):
            raise _no_source("a file object opened as text; open it as binary")
        chunks.append(chunk)
        total += len(chunk)
    return chunks


def source_name(source: PictureSource) -> str:
    """Returns `Picture.name` of a source, but "<picture>" for every Pillow image."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    if isinstance(source, np.ndarray):
        return "<array>"
    if is_pillow(source):
        return "<picture>"
    name = getattr(source, "name", None)  # a number if the file was opened by its descriptor
    return name if isinstance(name, str) else "<file>"


def _shown(source: EncodedSource) -> str:
    """Returns the source's name for error messages, with unprintable characters escaped."""
    if source == _STDIN:
        return "standard input"
    return _printable(source_name(source))


def _printable(name: str) -> str:
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )


def _require_pixels(width_px: int, height_px: int, shown: str, limits: ImageLimits) -> None:
    if width_px * height_px > limits.max_pixels:
        raise ImageTooLargeError(
            f"Cannot read {shown}: its {width_px} x {height_px} pixels are over the limit of "
            f"{limits.max_pixels / 1e6:g} megapixels. Make it smaller, or raise the limit."
        )


def _decode(data: bytes, *, shown: str, limits: ImageLimits) -> UInt8Array:
    try:
        header = read_header(data)
        _require_pixels(header.width_px, header.height_px, shown, limits)
        decoded = _decoded(data, header)
        if decoded.shape[0] * decoded.shape[1] != header.width_px * header.height_px:
            raise HeaderError(
                f"it is damaged: its header declares {header.width_px} x {header.height_px} "
                f"pixels, its data has {decoded.shape[1]} x {decoded.shape[0]}"
            )
        return upright(rgb(decoded, header), header.orientation)
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
        if re.search(rf"^ *{name}: +(?!NO\b)\S", cv2.getBuildInformation(), re.MULTILINE) is None:
            raise HeaderError(
                f"this OpenCV ({cv2.__version__}) has no {name} decoder. "
                "Upgrade opencv-python-headless, or convert the file to JPEG or PNG."
            )
        raise HeaderError(f"its {name} data is damaged or truncated, or of a kind that is not read")
    for message in messages:
        if damage := _DAMAGE.search(message):
            raise HeaderError(f"its {name} data is damaged or truncated ({damage[0]})")
    return decoded
