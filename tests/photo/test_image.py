"""Decoded pixels against Pillow's and against exact arithmetic.

Tolerances are in levels of 0..255: 0 where the format is lossless and both sides are exact.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facekit.errors import ImageError, UsageError
from facekit.photo.decode import Picture, load_picture, read_image
from tests.photo.picture_samples import (
    HEIGHT,
    NEEDS_GIF,
    WIDTH,
    assert_close,
    encoded,
    over_white,
    png,
    png_chunk,
    sample,
    seen_by_pillow,
    smooth_alpha,
    smooth_pixels,
    tiff,
)

RGB = Image.fromarray(smooth_pixels())
GRAY = RGB.convert("L")
RGBA = Image.fromarray(np.dstack([smooth_pixels(), smooth_alpha()]))
GRAY_ALPHA = RGBA.convert("LA")
PALETTE = RGB.quantize(16)
ANIMATED = pytest.mark.skipif(
    not hasattr(cv2, "imreadanimation"), reason="OpenCV before 4.11 reads no WebP with frames"
)


@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "biden.jpg"])
def test_photos_equal_pillow(name: str) -> None:
    path = Path(__file__).parents[1] / "data" / name
    assert_close(read_image(path), seen_by_pillow(path.read_bytes()), tolerance=1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(RGB, "PNG"), id="png"),
        pytest.param(encoded(GRAY, "PNG"), id="png-gray"),
        pytest.param(encoded(RGB.convert("1"), "PNG"), id="png-1-bit"),
        pytest.param(encoded(PALETTE, "PNG"), id="png-palette"),
        pytest.param(encoded(RGB.quantize(4), "PNG", bits=2), id="png-palette-2-bit"),
        pytest.param(encoded(RGB, "WEBP"), id="webp-lossless"),
        pytest.param(encoded(RGB, "BMP"), id="bmp"),
        pytest.param(encoded(GRAY, "BMP"), id="bmp-gray"),
        pytest.param(encoded(PALETTE, "BMP"), id="bmp-palette"),
        pytest.param(encoded(RGB.convert("1"), "BMP"), id="bmp-1-bit"),
        pytest.param(encoded(RGB, "TIFF"), id="tiff"),
        pytest.param(encoded(RGB, "TIFF", compression="tiff_lzw"), id="tiff-lzw"),
        pytest.param(encoded(RGB, "TIFF", compression="jpeg"), id="tiff-jpeg"),
        pytest.param(encoded(RGB.convert("1"), "TIFF", compression="group4"), id="tiff-fax"),
        pytest.param(encoded(GRAY, "TIFF"), id="tiff-gray"),
        pytest.param(encoded(PALETTE, "TIFF"), id="tiff-palette"),
        pytest.param(encoded(RGB.convert("CMYK"), "TIFF"), id="tiff-cmyk"),
        pytest.param(encoded(PALETTE, "GIF"), id="gif", marks=NEEDS_GIF),
        pytest.param(encoded(GRAY, "GIF"), id="gif-gray", marks=NEEDS_GIF),
        pytest.param(encoded(PALETTE, "GIF", interlace=True), id="gif-interlaced", marks=NEEDS_GIF),
        pytest.param(encoded(RGB, "JPEG"), id="jpeg"),
        pytest.param(encoded(RGB, "JPEG", progressive=True), id="jpeg-progressive"),
        pytest.param(encoded(GRAY, "JPEG"), id="jpeg-gray"),
        pytest.param(encoded(RGB, "JPEG", keep_rgb=True), id="jpeg-rgb"),
        pytest.param(encoded(RGB, "WEBP", lossless=False), id="webp-lossy"),
    ],
)
def test_opaque_pictures_equal_pillow(data: bytes) -> None:
    assert_close(read_image(data), seen_by_pillow(data), tolerance=1 if data[0] == 0xFF else 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(RGBA, "PNG"), id="png"),
        pytest.param(encoded(GRAY_ALPHA, "PNG"), id="png-gray"),
        pytest.param(
            encoded(PALETTE, "PNG", transparency=bytes([0, 128, 200] + [255] * 13)),
            id="png-palette",
        ),
        pytest.param(
            encoded(RGB, "PNG", transparency=RGB.getpixel((9, 5))), id="png-transparent-color"
        ),
        pytest.param(
            encoded(GRAY, "PNG", transparency=GRAY.getpixel((9, 5))), id="png-transparent-gray"
        ),
        pytest.param(encoded(RGBA, "WEBP", exact=True), id="webp"),
        pytest.param(encoded(RGBA.convert("RGBa").convert("RGBA"), "TIFF"), id="tiff"),
        pytest.param(encoded(PALETTE, "GIF", transparency=3), id="gif", marks=NEEDS_GIF),
    ],
)
def test_alpha_is_composited_over_white(data: bytes) -> None:
    wanted = over_white(seen_by_pillow(data, mode="RGBA"))
    assert (wanted == 255).all(axis=2).any()  # some of it is transparent
    assert_close(read_image(data), wanted, tolerance=1)


def test_alpha_by_hand() -> None:
    pixels = np.array([[[100, 0, 255, 0], [100, 0, 255, 51], [100, 0, 255, 255]]], np.uint8)
    wanted = [[[255, 255, 255], [224, 204, 255], [100, 0, 255]]]
    assert read_image(encoded(Image.fromarray(pixels), "PNG")).tolist() == wanted


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("extra_samples", "multiplied"), [(None, False), (0, False), (1, True), (2, False)]
)
def test_tiff_alpha_of_each_kind(bits: int, extra_samples: int | None, multiplied: bool) -> None:
    """ExtraSamples 1 stores colors multiplied by alpha, 2 unmultiplied, 0 does not say."""
    rgba = np.dstack([smooth_pixels(), smooth_alpha()])
    stored = rgba.copy()
    if multiplied:
        stored[..., :3] = np.rint(rgba[..., :3] * (rgba[..., 3:] / 255.0))
    tags = {} if extra_samples is None else {338: extra_samples}
    samples = stored if bits == 8 else stored.astype(np.uint16) * 257
    data = tiff(samples, photometric=2, tags=tags)
    assert_close(read_image(data), over_white(rgba), tolerance=1)


def test_16_bits_are_divided_by_257_and_rounded() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    wanted = np.rint(every / 257).astype(np.int64)[..., None].repeat(3, axis=2)
    assert wanted[0, 0, 0] == 0
    assert wanted[-1, -1, 0] == 255
    assert_close(read_image(png(every, bits=16, color=0)), wanted)
    assert_close(read_image(tiff(every[..., None], photometric=1)), wanted)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order(order: str) -> None:
    data = tiff(smooth_pixels().astype(np.uint16) * 257, photometric=2, order=order)
    assert_close(read_image(data), smooth_pixels())


def test_16_bit_png_color_and_alpha() -> None:
    deep = smooth_pixels().astype(np.uint16) * 257
    assert_close(read_image(png(deep, bits=16, color=2)), smooth_pixels())
    alpha = smooth_alpha().astype(np.uint16) * 257
    wanted = over_white(np.dstack([smooth_pixels(), smooth_alpha()]))
    assert_close(read_image(png(np.dstack([deep, alpha]), bits=16, color=6)), wanted, tolerance=1)


@pytest.mark.parametrize(("bits", "stored", "seen"), [(1, 0b10101010, 255), (2, 0b01010101, 85)])
def test_transparent_gray_of_few_bits(bits: int, stored: int, seen: int) -> None:
    """1 of 2 bits is 85 of 255; the transparent value is scaled in the same way."""
    row = np.full((2, 1), stored, np.uint8)
    width = 8 // bits
    opaque = png(row, bits=bits, color=0, size=(width, 2))
    assert read_image(opaque)[0, 0].tolist() == [seen] * 3
    declared = png_chunk(b"tRNS", struct.pack(">H", 1))
    clear = png(row, bits=bits, color=0, size=(width, 2), before_data=declared)
    assert read_image(clear)[0, 0].tolist() == [255] * 3


def cmyk_jpeg(*, adobe_transform: int | None) -> bytes:
    """A CMYK JPEG with Adobe's marker (0: CMYK, 2: YCCK), or with none."""
    channels = np.asarray(RGB.convert("CMYK")).copy()
    channels[..., 3] = np.linspace(0, 200, WIDTH).astype(np.uint8)
    data = encoded(Image.fromarray(channels, "CMYK"), "JPEG", quality=100, subsampling=0)
    start = data.index(b"\xff\xee")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    if adobe_transform is None:
        return data[:start] + data[end:]
    return data[: end - 1] + bytes([adobe_transform]) + data[end:]


@pytest.mark.parametrize("adobe_transform", [0, 2, None])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_a_cmyk_jpeg_looks_as_pillow_sees_it(adobe_transform: int | None) -> None:
    """Two libraries' conversions without a profile; each rounds a product of 8-bit numbers."""
    data = cmyk_jpeg(adobe_transform=adobe_transform)
    assert_close(read_image(data), seen_by_pillow(data), tolerance=2)


def bmp(header: bytes, rows: bytes) -> bytes:
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + rows


BGR_ROWS = smooth_pixels()[..., ::-1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            bmp(struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24), BGR_ROWS[::-1].tobytes()),
            id="core-header",
        ),
        pytest.param(
            bmp(
                struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0),
                BGR_ROWS.tobytes(),
            ),
            id="top-down",
        ),
    ],
)
def test_bmp_of_both_header_kinds(data: bytes) -> None:
    assert_close(read_image(data), smooth_pixels())


@pytest.mark.parametrize(
    "file_format",
    ["PNG", "TIFF", pytest.param("WEBP", marks=ANIMATED), pytest.param("GIF", marks=NEEDS_GIF)],
)
def test_first_frame_of_an_animation(file_format: str) -> None:
    data = encoded(RGB, file_format, save_all=True, append_images=[RGB.rotate(180)])
    assert_close(read_image(data), seen_by_pillow(data))


@NEEDS_GIF
def test_gif_frame_that_leaves_a_part_of_its_canvas_free() -> None:
    data = bytearray(encoded(PALETTE, "GIF"))
    data[6:10] = struct.pack("<HH", WIDTH + 16, HEIGHT + 12)
    pixels = read_image(bytes(data))
    assert pixels.shape == (HEIGHT + 12, WIDTH + 16, 3)
    assert_close(pixels[:HEIGHT, :WIDTH].copy(), seen_by_pillow(encoded(PALETTE, "GIF")))


def test_fill_bytes_and_standalone_markers_between_jpeg_segments() -> None:
    data = sample("JPEG")
    padded = data[:2] + b"\xff\xff\xff" + data[2:]
    assert_close(read_image(padded), read_image(data))


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\0" * 4096, id="padding"),
        pytest.param(b"\0\0\0\x18ftypmp42" + b"\xff\xd8\xff" * 50, id="motion-photo"),
        pytest.param(sample("JPEG"), id="second-picture"),
    ],
)
def test_what_follows_a_jpeg_is_ignored(tail: bytes) -> None:
    data = sample("JPEG")
    assert_close(read_image(data + tail), read_image(data))


def test_multi_picture_jpeg() -> None:
    data = encoded(RGB, "MPO", save_all=True, append_images=[RGB.rotate(180)])
    assert_close(read_image(data), seen_by_pillow(data), tolerance=1)


def test_an_unchanged_picture_is_writable_and_owned() -> None:
    pixels = read_image(sample("JPEG"))
    pixels[:] = 0
    assert read_image(sample("JPEG")).any()


def test_load_picture_keeps_name_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(sample("JPEG"))
    picture = load_picture(str(path))
    assert picture.name == str(path)
    assert picture.sha256 == hashlib.sha256(sample("JPEG")).hexdigest()
    assert_close(picture.pixels, read_image(path))
    assert load_picture(sample("PNG")).name == "<bytes>"


def test_picture_refuses_other_arrays() -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        Picture(name="x", pixels=np.zeros((4, 4), np.uint8), sha256="")


def test_damaged_checksums_of_png_are_noticed() -> None:
    data = bytearray(sample("PNG"))
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(ImageError, match="PNG data is damaged"):
        read_image(bytes(data))


def test_pixels_are_a_picture_too() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    picture = load_picture(pixels)
    assert picture.name == "<array>"
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.sha256 == hashlib.sha256(pixels.tobytes()).hexdigest()
    with pytest.raises(UsageError, match=r"float64 \(2, 4, 3\)"):
        load_picture(pixels / 255)  # type: ignore[arg-type] # what is tested
