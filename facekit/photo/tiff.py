"""Reads TIFF directories: EXIF's orientation, and the layout of a TIFF file's first page."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from facekit.photo.formats import HeaderError

_ORIENTATION = 274
_NEW_SUBFILE_TYPE = 254
_WIDTH, _HEIGHT = 256, 257
_BITS_PER_SAMPLE = 258
_COMPRESSION = 259
_PHOTOMETRIC = 262
_SAMPLES_PER_PIXEL = 277
_ROWS_PER_STRIP = 278
_PLANAR_CONFIGURATION = 284
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_EXTRA_SAMPLES = 338
_SAMPLE_FORMAT = 339
_DNG_VERSION = 50706
_PAGE_TAGS = {
    _NEW_SUBFILE_TYPE,
    _WIDTH,
    _HEIGHT,
    _BITS_PER_SAMPLE,
    _COMPRESSION,
    _PHOTOMETRIC,
    _SAMPLES_PER_PIXEL,
    _ROWS_PER_STRIP,
    _PLANAR_CONFIGURATION,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    _EXTRA_SAMPLES,
    _SAMPLE_FORMAT,
    _DNG_VERSION,
}

_VALUE_FORMATS = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT and LONG; the tags here need no other
_MOST_VALUES = 8  # values read per entry

_GRAY_INVERTED, _GRAY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_PLANES_APART = 2
_JPEG_COMPRESSIONS = (6, 7)
_UNSIGNED, _FLOATING = 1, 3
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
_MOST_TILE_PIXELS = 2**24  # a decoder allocates a whole tile, however small the photo is

_CONVERT = "Convert it to 8-bit RGB or to PNG first."


@dataclass(frozen=True, slots=True)
class TiffPage:
    width_px: int
    height_px: int
    premultiplied: bool
    """Whether the decoder's colors are multiplied by alpha."""
    peak_bytes_per_pixel: int
    """Most memory that decoding and converting takes at a time."""
    is_jpeg: bool
    """Whether each part, a strip or a tile, is a JPEG."""
    part_pixels: int


def exif_orientation(block: bytes) -> int:
    """Returns EXIF's Orientation, 1..8, of a TIFF-shaped `block`; 1 if it is missing or damaged."""
    try:
        value = _directory(block, {_ORIENTATION}).get(_ORIENTATION, (1,))[0]
    except (struct.error, IndexError, HeaderError):
        return 1
    return value if 1 <= value <= 8 else 1


def first_page(data: bytes) -> TiffPage:
    """Reads the first directory.

    Raises HeaderError for kinds of TIFF that OpenCV decodes wrongly or not at all, and
    struct.error or IndexError if the file ends too early.
    """
    tags = _directory(data, _PAGE_TAGS)
    if tags.get(_NEW_SUBFILE_TYPE, (0,))[0] & 1 or _DNG_VERSION in tags:
        raise HeaderError(f"it looks like a camera's raw file, which is not supported. {_CONVERT}")
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise HeaderError("it is damaged: the TIFF directory has no picture size")
    tile_pixels = tags.get(_TILE_WIDTH, (0,))[0] * tags.get(_TILE_HEIGHT, (0,))[0]
    if tile_pixels > _MOST_TILE_PIXELS:
        raise HeaderError(f"its TIFF tiles are too large. {_CONVERT}")
    bits = tags.get(_BITS_PER_SAMPLE, (1,))[0]
    extra = tags.get(_EXTRA_SAMPLES, (0,))[0]
    _require_decodable(tags, bits)
    width, height = tags[_WIDTH][0], tags[_HEIGHT][0]
    rows = min(tags.get(_ROWS_PER_STRIP, (height,))[0], height)
    samples = tags.get(_SAMPLES_PER_PIXEL, (1,))[0]
    return TiffPage(
        width_px=width,
        height_px=height,
        # The decoder holds a whole strip beside the photo, and a strip may be the whole photo.
        peak_bytes_per_pixel=4 * samples if bits == 16 and samples > 1 else 9,
        is_jpeg=tags.get(_COMPRESSION, (1,))[0] in _JPEG_COMPRESSIONS,
        part_pixels=tile_pixels or width * rows,
        # libtiff multiplies by unassociated alpha when it converts; it does not convert 16 bits.
        premultiplied=extra == _ASSOCIATED_ALPHA or (extra == _UNASSOCIATED_ALPHA and bits <= 8),
    )


def _require_decodable(tags: dict[int, tuple[int, ...]], bits: int) -> None:
    samples = tags.get(_SAMPLES_PER_PIXEL, (1,))[0]
    photometric = tags.get(_PHOTOMETRIC, (_RGB if samples >= 3 else _GRAY,))[0]
    planes_apart = samples > 1 and tags.get(_PLANAR_CONFIGURATION, (1,))[0] == _PLANES_APART
    gray = photometric in (_GRAY_INVERTED, _GRAY)
    refused = (
        (tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _FLOATING, "floating-point"),
        (tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] != _UNSIGNED, "signed"),
        (bits not in (1, 2, 4, 8, 16), f"{bits}-bit"),
        (not gray and photometric not in (_RGB, _PALETTE, _CMYK, _YCBCR), "its color space in"),
        (gray and samples != 1, "transparency in gray"),
        (bits == 16 and planes_apart, "16-bit, plane by plane"),
        (bits == 16 and photometric not in (_GRAY, _RGB), "16-bit, neither gray nor RGB"),
    )
    for applies, kind in refused:
        if applies:
            raise HeaderError(f"{kind} TIFF is not supported. {_CONVERT}")


def _directory(data: bytes, wanted: set[int]) -> dict[int, tuple[int, ...]]:
    """Returns the values of the `wanted` tags in a TIFF's first directory, in either byte order."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise HeaderError("it is damaged: neither byte order of TIFF")
    (start,) = struct.unpack_from(order + "4xI", data)
    (entries,) = struct.unpack_from(order + "H", data, start)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if tag in wanted and kind in _VALUE_FORMATS and count:
            form = f"{order}{min(count, _MOST_VALUES)}{_VALUE_FORMATS[kind]}"
            inside = count * struct.calcsize(order + _VALUE_FORMATS[kind]) <= 4
            offset = entry + 8 if inside else struct.unpack_from(order + "I", data, entry + 8)[0]
            tags.setdefault(tag, struct.unpack_from(form, data, offset))
    return tags
