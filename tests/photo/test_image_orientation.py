"""EXIF orientation of every format that carries it, against Pillow's ImageOps.exif_transpose."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from facekit.photo.decode import read_image
from tests.photo.picture_samples import (
    HEIGHT,
    WIDTH,
    assert_close,
    encoded,
    png_chunk,
    smooth_pixels,
    tiff,
)

RGB = Image.fromarray(smooth_pixels())


def with_orientation(file_format: str, orientation: int, *, mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    image = RGB.convert(mode)
    if file_format == "TIFF":
        return encoded(image, "TIFF", tiffinfo=exif)
    return encoded(image, file_format, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_exif_orientation_turns_the_picture_upright(
    file_format: str, mode: str, orientation: int
) -> None:
    data = with_orientation(file_format, orientation, mode=mode)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert wanted.size == ((WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH))
    assert_close(read_image(data), np.asarray(wanted, np.int64), tolerance=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_tiff(orientation: int) -> None:
    deep = smooth_pixels().astype(np.uint16) * 257
    shallow = with_orientation("TIFF", orientation)
    assert_close(
        read_image(tiff(deep, photometric=2, tags={274: orientation})), read_image(shallow)
    )


def test_orientation_after_the_png_data() -> None:
    """PNG allows eXIf behind IDAT, where a decoder that stops early would miss it."""
    data = encoded(RGB, "PNG")
    tag = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 274, 3, 1, 6, 0, 0)
    end = data.index(b"IEND") - 4
    assert read_image(data[:end] + png_chunk(b"eXIf", tag) + data[end:]).shape == (WIDTH, HEIGHT, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_meaningless_orientation_is_none(orientation: int) -> None:
    assert read_image(with_orientation("JPEG", orientation)).shape == (HEIGHT, WIDTH, 3)


def test_damaged_exif_does_not_spoil_the_picture() -> None:
    data = with_orientation("JPEG", 6)
    offset = data.index(b"Exif\0\0") + 6
    assert read_image(data).shape == (WIDTH, HEIGHT, 3)
    assert read_image(data[:offset] + b"XX" + data[offset + 2 :]).shape == (HEIGHT, WIDTH, 3)
    far = struct.pack(">I", 2**31)
    assert read_image(data[: offset + 4] + far + data[offset + 8 :]).shape == (HEIGHT, WIDTH, 3)
