"""Encoded pictures for the tests of image.py, made by Pillow or byte by byte."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facekit.types import UInt8Array

WIDTH, HEIGHT = 64, 48
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
NEEDS_GIF = pytest.mark.skipif(
    re.search(r"^ *GIF: +YES", cv2.getBuildInformation(), re.MULTILINE) is None,
    reason="OpenCV before 4.12 reads no GIF",
)
EACH_FORMAT = [pytest.param(one, marks=NEEDS_GIF if one == "GIF" else ()) for one in PHOTO_FORMATS]


def smooth_pixels() -> UInt8Array:
    """(48, 64, 3) RGB: random colors that blend, with no symmetry."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT)), np.uint8)


def smooth_alpha() -> UInt8Array:
    """(48, 64): every alpha from 0 to 255, left to right."""
    ramp = np.linspace(0, 255, WIDTH).round().astype(np.uint8)
    return np.tile(ramp, (HEIGHT, 1))


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    if file_format == "WEBP":
        options = {"lossless": True, **options}
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def sample(file_format: str) -> bytes:
    """The smooth picture in any of PHOTO_FORMATS."""
    return encoded(Image.fromarray(smooth_pixels()), file_format)


def seen_by_pillow(data: bytes, *, mode: str = "RGB") -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode), np.int64)


def over_white(rgba: NDArray[Any]) -> NDArray[np.int64]:
    """(H, W, 4), 0..255 -> (H, W, 3): alpha composition in exact arithmetic, rounded."""
    alpha = rgba[..., 3:] / 255.0
    return np.asarray(np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)), np.int64)


def assert_close(pixels: UInt8Array, wanted: NDArray[Any], *, tolerance: int = 0) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.shape == wanted.shape
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(np.int64) - wanted).max() <= tolerance


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(
    rows: NDArray[Any], *, bits: int, color: int, before_data: bytes = b"", size: Any = None
) -> bytes:
    """A PNG of `rows` (H, W, ...) of 8 or 16 bits; `size` (width, height) may lie."""
    width, height = size or (rows.shape[1], rows.shape[0])
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    raw = b"".join(b"\0" + row.astype(rows.dtype.newbyteorder(">")).tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before_data
        + png_chunk(b"IDAT", zlib.compress(raw))
        + png_chunk(b"IEND", b"")
    )


def tiff(
    samples: NDArray[Any],
    *,
    photometric: int,
    order: str = "<",
    planes_apart: bool = False,
    tags: Mapping[int, int] = MappingProxyType({}),
) -> bytes:
    """An uncompressed TIFF of (H, W, samples) of any number type, in one strip or one a plane.

    `tags` are further entries of one value; they may overrule.
    """
    height, width, count = samples.shape
    stored = samples.transpose(2, 0, 1) if planes_apart else samples
    content = stored.astype(samples.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    strips = count if planes_apart else 1
    strip_bytes = len(content) // strips
    sample_format = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    values: dict[int, list[int]] = {
        256: [width],
        257: [height],
        258: [8 * samples.dtype.itemsize] * count,
        259: [1],
        262: [photometric],
        273: [0] * strips,
        277: [count],
        278: [height],
        279: [strip_bytes] * strips,
        284: [2 if planes_apart else 1],
        339: [sample_format] * count,
    } | {tag: [value] for tag, value in tags.items()}
    values = dict(sorted(values.items()))
    long_values = 8 + 2 + 12 * len(values) + 4
    start = long_values + sum(4 * len(value) for value in values.values() if len(value) > 1)
    values[273] = [start + strip_bytes * strip for strip in range(strips)]
    entries, outside = b"", b""
    for tag, value in values.items():
        packed = struct.pack(f"{order}{len(value)}I", *value)
        if len(value) > 1:
            entry = struct.pack(order + "I", long_values + len(outside))
            outside += packed
        else:
            entry = packed
        entries += struct.pack(order + "HHI", tag, 4, len(value)) + entry
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(values))
    return head + entries + struct.pack(order + "I", 0) + outside + content
