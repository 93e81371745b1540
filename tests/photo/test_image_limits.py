"""Limits on pixels and bytes, checked before a picture is decoded or a file is read whole."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facekit.errors import ImageTooLargeError
from facekit.photo.decode import DEFAULT_LIMITS, ImageLimits, read_bytes, read_image
from tests.photo.picture_samples import EACH_FORMAT, encoded, png, sample, smooth_pixels, tiff

PHOTO = Image.fromarray(smooth_pixels())
TINY = ImageLimits(max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("file_format", EACH_FORMAT)
def test_limit_on_pixels(file_format: str) -> None:
    data = sample(file_format)
    assert read_image(data, limits=ImageLimits(max_pixels=64 * 48)).shape == (48, 64, 3)
    with pytest.raises(ImageTooLargeError, match=r"64 x 48 pixels are over the limit of 0\.003071"):
        read_image(data, limits=TINY)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            png(np.zeros((1, 1, 3), np.uint8), bits=8, color=2, size=(20_000, 20_000)), id="png"
        ),
        pytest.param(
            b"BM"
            + struct.pack("<IHHIIiiHHI", 54, 0, 0, 54, 40, 20_000, -20_000, 1, 24, 1)
            + bytes(20),
            id="bmp",
        ),
        pytest.param(b"GIF89a" + struct.pack("<HH", 20_000, 20_000) + bytes(9), id="gif"),
        pytest.param(
            tiff(smooth_pixels(), photometric=2, tags={256: 20_000, 257: 20_000}), id="tiff"
        ),
        pytest.param(
            tiff(smooth_pixels(), photometric=2, order=">", tags={256: 20_000, 257: 20_000}),
            id="tiff-big-endian",
        ),
    ],
)
def test_a_bomb_is_refused_by_its_header(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("a picture over the limit was decoded")

    monkeypatch.setattr("cv2.imdecode", decoded)
    with pytest.raises(
        ImageTooLargeError, match=r"20000 x 20000 pixels are over .* 100 megapixels"
    ):
        read_image(data)


@pytest.mark.parametrize("options", [{"lossless": False}, {"exif": b"MM\0*\0\0\0\x08\0\0"}])
def test_webp_of_each_first_chunk(options: dict[str, Any]) -> None:
    """VP8 and VP8X; the lossless sample is VP8L."""
    data = encoded(PHOTO, "WEBP", **options)
    assert data[12:16] == (b"VP8X" if "exif" in options else b"VP8 ")
    assert read_image(data).shape == (48, 64, 3)
    with pytest.raises(ImageTooLargeError, match="64 x 48"):
        read_image(data, limits=TINY)


def test_opencv_has_the_last_word_on_size() -> None:
    """With the limit lifted, OpenCV's own (2**30 pixels) is still an error of ours."""
    data = png(np.zeros((1, 1, 3), np.uint8), bits=8, color=2, size=(40_000, 40_000))
    with pytest.raises(ImageTooLargeError, match="not enough memory"):
        read_image(data, limits=ImageLimits(max_pixels=10**12))


def test_limit_on_bytes(tmp_path: Path) -> None:
    data = sample("JPEG")
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    exactly = ImageLimits(max_bytes=len(data))
    less = ImageLimits(max_bytes=len(data) - 1)
    for source in (path, data):
        assert read_bytes(source, limits=exactly) == data
        with pytest.raises(ImageTooLargeError, match="more bytes than the limit"):
            read_bytes(source, limits=less)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jpg"
    with open(path, "wb") as file:
        file.truncate(10**11)
    with pytest.raises(ImageTooLargeError, match="limit of 256 MB"):
        read_bytes(path)


def test_an_endless_stream_is_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = ImageLimits(max_bytes=3_000_000)
    with pytest.raises(ImageTooLargeError, match=r"^Cannot read /dev/zero: .* 3 MB"):
        read_bytes("/dev/zero", limits=limits)
    stdin = SimpleNamespace(buffer=io.BytesIO(bytes(10_000_000)))
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(ImageTooLargeError, match="standard input"):
        read_bytes("-", limits=limits)
    assert len(stdin.buffer.read()) > 5_000_000


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    data = sample("PNG")
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with subprocess.Popen([sys.executable, "-c", f"open({str(fifo)!r}, 'wb').write({data!r})"]):
        assert read_bytes(fifo) == data


def test_limits_are_positive() -> None:
    assert (DEFAULT_LIMITS.max_pixels, DEFAULT_LIMITS.max_bytes) == (10**8, 256 * 10**6)
    for wrong in ({"max_pixels": 0}, {"max_bytes": -1}):
        with pytest.raises(ValueError, match="positive"):
            ImageLimits(**wrong)
