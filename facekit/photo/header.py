"""Reads a photo's header without decoding the photo: size, orientation, and whether the end exists.

The end of a GIF and of a compressed BMP is not looked for; the decoder reports what is missing.

All values come from the file and may be false; decode.py checks them again after decoding.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from facekit.photo.formats import HeaderError, ImageFormat, image_format
from facekit.photo.tiff import exif_orientation, first_page


@dataclass(frozen=True, slots=True)
class Header:
    format: ImageFormat
    width_px: int
    """As stored, before `orientation` is applied."""
    height_px: int
    orientation: int = 1
    """EXIF's 1..8, to be applied to decoded pixels; 1 for TIFF, which the decoder turns upright."""
    premultiplied: bool = False
    """Whether decoded colors are multiplied by alpha."""
    transparent_gray: int | None = None
    """The gray value of decoded pixels that a gray PNG declares transparent."""
    plain: bool = False
    """Whether the decoder itself can convert to RGB: a JPEG, or a BMP without alpha."""
    peak_bytes_per_pixel: int = 9
    """Most memory that decoding and converting takes at a time, as benchmarks/decoding.py measures
    it; without the encoded file."""
    scanned_pixels: int = 0
    """Number of pixels that the scans of a JPEG pass over, in all; 0 for another format."""


def read_header(data: bytes) -> Header:
    """Reads the header of a completely loaded, encoded photo.

    Raises HeaderError, which says why the bytes are not a complete photo of a known format.
    """
    kind = image_format(data)
    try:
        header = _READERS[kind](data)
    except (struct.error, IndexError) as error:
        raise HeaderError(f"it is truncated: its {kind.value} header is not complete") from error
    if header.width_px < 1 or header.height_px < 1:
        raise HeaderError(
            f"it is damaged: its header declares {header.width_px} x {header.height_px} pixels"
        )
    return header


def _truncated(data: bytes, missing: str) -> HeaderError:
    return HeaderError(f"it is truncated: {missing} is missing after {len(data)} bytes")


_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ARITHMETIC = set(range(0xC9, 0xD0)) - {0xCC}
_BASELINE = {0xC0, 0xC1}
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_WITHOUT_LENGTH = {0x01, 0xD8}  # TEM, SOI
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # no fill byte, stuffing, RST0..7

_MOST_SEGMENTS = 10_000  # at 64 KB each, more than any file has
_LARGEST_BLOCK_PX = 32  # a decoder's unit of work, of 4 x 4 blocks of 8 pixels at most
_ARITHMETIC_COST = 72
"""By which a component of a scan in arithmetic code may take longer than a scan in Huffman code.

Huffman code takes a bit of the file for each value.  A bit of arithmetic code may stand for dozens
of decisions: benchmarks/decoding.py has taken 140 ns a pixel and component."""
_MOST_COMPONENTS = 4


def _jpeg(data: bytes) -> Header:
    """Reads a JPEG (ITU-T T.81 annex B): all segments up to the end marker, with each scan's place.

    Bytes after the end marker are ignored: multi-picture files, motion photos, padding.
    """
    frame: tuple[int, int, int, int] | None = None
    orientation = 1
    scans = passes = 0
    offset = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, offset)
        if found is None:
            raise _truncated(
                data, "the JPEG's end-of-image marker" if scans else "the JPEG's pixel data"
            )
        marker, offset = data[found.end() - 1], found.end()
        if marker in _WITHOUT_LENGTH:
            continue
        if marker == _END_OF_IMAGE:
            break
        (length,) = struct.unpack_from(">H", data, offset)
        if marker in _START_OF_FRAME and frame is None:
            frame = (marker, *struct.unpack_from(">HHB", data, offset + 3))
        elif marker == _APP1 and data[offset + 2 : offset + 8] == b"Exif\0\0":
            orientation = exif_orientation(data[offset + 8 : offset + length])
        elif marker == _START_OF_SCAN:
            scans += 1
            is_arithmetic = frame is not None and frame[0] in _ARITHMETIC
            passes += data[offset + 2] * _ARITHMETIC_COST if is_arithmetic else 1
        offset += length
    else:
        raise HeaderError(f"it is damaged: the JPEG has more than {_MOST_SEGMENTS:,} segments")
    if not scans:
        raise HeaderError("it is damaged: the JPEG ends before its pixel data")
    if frame is None:
        raise HeaderError("it is damaged: the JPEG has no frame header")
    kind, height, width, components = frame
    worked_pixels = _whole_blocks(width) * _whole_blocks(height)
    return Header(
        ImageFormat.JPEG,
        width,
        height,
        orientation,
        plain=True,
        # The decoder keeps all coefficients, of 2 bytes, until it has read the last scan.
        peak_bytes_per_pixel=6 if kind in _BASELINE and scans == 1 else max(6, 3 + 2 * components),
        scanned_pixels=passes * worked_pixels,
    )


def _whole_blocks(side_px: int) -> int:
    return -(-side_px // _LARGEST_BLOCK_PX) * _LARGEST_BLOCK_PX


_PNG_GRAY, _PNG_RGB = 0, 2
_PNG_DEEP_BYTES = {_PNG_GRAY: 6, _PNG_RGB: 12}
_MOST_CHUNKS = 100_000  # at 8 KB each, more than any file has
_MOST_PACKED_TEXTS = 16  # each may unpack to 8 MB, which libpng keeps


def _require_few_chunks(count: int, kind: ImageFormat) -> None:
    if count > _MOST_CHUNKS:
        raise HeaderError(f"it is damaged: the {kind.value} has more than {_MOST_CHUNKS:,} chunks")


def _png(data: bytes) -> Header:
    """Reads a PNG (third edition, section 5): chunks from IHDR to IEND."""
    width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise HeaderError("it is damaged: the PNG does not begin with IHDR")
    orientation = 1
    transparent: int | None = None
    peak_bytes = 9 if bits < 16 else _PNG_DEEP_BYTES.get(color, 16)
    offset, kind = 8, b""
    chunks = packed_texts = 0
    while kind != b"IEND":
        chunks += 1
        _require_few_chunks(chunks, ImageFormat.PNG)
        length, kind = struct.unpack_from(">I4s", data, offset)
        if offset + 12 + length > len(data):
            raise _truncated(data, "the rest of the PNG")
        if kind == b"eXIf":
            orientation = exif_orientation(data[offset + 8 : offset + 8 + length])
        elif kind == b"tRNS" and color == _PNG_GRAY and length == 2:
            (raw,) = struct.unpack_from(">H", data, offset + 8)
            transparent = raw * 255 // (2**bits - 1) if 0 < bits < 8 else raw
        elif kind == b"tRNS" and color == _PNG_RGB and bits == 16:
            peak_bytes = 16  # the decoder makes RGBA of it
        packed_texts += kind in (b"zTXt", b"iTXt")
        offset += 12 + length
    if packed_texts > _MOST_PACKED_TEXTS:
        raise HeaderError(
            f"it has {packed_texts} packed texts, which may unpack to 8 MB each; "
            f"{_MOST_PACKED_TEXTS} are allowed. Save it anew without them"
        )
    return Header(
        ImageFormat.PNG,
        width,
        height,
        orientation,
        transparent_gray=transparent,
        peak_bytes_per_pixel=peak_bytes,
    )


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header(ImageFormat.GIF, width, height, peak_bytes_per_pixel=10)


_BMP_CORE_HEADER_BYTES = 12
_BMP_UNCOMPRESSED = 0


def _bmp(data: bytes) -> Header:
    """Reads a BMP: OS/2's BITMAPCOREHEADER, and BITMAPINFOHEADER with its longer successors."""
    start, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == _BMP_CORE_HEADER_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = _BMP_UNCOMPRESSED
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        height = abs(height)  # a negative height means rows from the top down
    if (
        compression == _BMP_UNCOMPRESSED
        and len(data) < start + (width * bits + 31) // 32 * 4 * height
    ):
        raise _truncated(data, "the rest of the BMP")
    return Header(ImageFormat.BMP, width, height, plain=bits != 32)


_VP8L_SIDE = (1 << 14) - 1


def _webp(data: bytes) -> Header:
    """Reads a WebP (RFC 9649): a RIFF whose first chunk is VP8, VP8L or VP8X."""
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    if riff_bytes + 8 > len(data):
        raise _truncated(data, "the rest of the WebP")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = (side & _VP8L_SIDE for side in struct.unpack_from("<HH", data, 26))
        return Header(ImageFormat.WEBP, width, height)
    if kind == b"VP8L":
        (size,) = struct.unpack_from("<I", data, 21)
        width, height = size & _VP8L_SIDE, size >> 14 & _VP8L_SIDE
        return Header(ImageFormat.WEBP, width + 1, height + 1)
    if kind == b"VP8X":
        (size,) = struct.unpack_from("<Q", data[24:30] + b"\0\0")
        width, height = size & 0xFFFFFF, size >> 24
        return Header(ImageFormat.WEBP, width + 1, height + 1, _webp_orientation(data))
    raise HeaderError("it is damaged: the WebP has no picture chunk")


def _webp_orientation(data: bytes) -> int:
    offset, chunks = 12, 0
    while offset + 8 <= len(data):
        chunks += 1
        _require_few_chunks(chunks, ImageFormat.WEBP)
        kind, length = struct.unpack_from("<4sI", data, offset)
        if kind == b"EXIF":
            return exif_orientation(
                data[offset + 8 : offset + 8 + length].removeprefix(b"Exif\0\0")
            )
        offset += 8 + length + length % 2
    return 1


def _tiff(data: bytes) -> Header:
    page = first_page(data)
    return Header(
        ImageFormat.TIFF,
        page.width_px,
        page.height_px,
        premultiplied=page.premultiplied,
        peak_bytes_per_pixel=page.peak_bytes_per_pixel,
        scanned_pixels=page.part_pixels * _passes_in(data) if page.is_jpeg else 0,
    )


def _passes_in(data: bytes) -> int:
    """Returns how often the JPEGs in a TIFF pass over a part's pixels, or more."""
    is_arithmetic = any(bytes((0xFF, marker)) in data for marker in _ARITHMETIC)
    each = _MOST_COMPONENTS * _ARITHMETIC_COST if is_arithmetic else 1
    return each * data.count(b"\xff\xda")


_READERS = {
    ImageFormat.JPEG: _jpeg,
    ImageFormat.PNG: _png,
    ImageFormat.GIF: _gif,
    ImageFormat.BMP: _bmp,
    ImageFormat.WEBP: _webp,
    ImageFormat.TIFF: _tiff,
}
