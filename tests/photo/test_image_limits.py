"""Limits on pixels and bytes, checked before a picture is decoded or a file is read whole."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facekit.errors import ImageError, ImageTooLargeError
from facekit.photo.decode import read_image
from facekit.photo.header import read_header
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits, require_within
from facekit.photo.reading import read_bytes
from tests.photo.picture_samples import (
    EACH_FORMAT,
    encoded,
    png,
    png_chunk,
    sample,
    smooth_pixels,
    tiff,
)

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
    stdin = SimpleNamespace(buffer=io.BytesIO(bytes(10_000_000)))
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(ImageTooLargeError, match=r"^Cannot read standard input: .* 3 MB"):
        read_bytes("-", limits=limits)
    assert len(stdin.buffer.read()) > 5_000_000


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: os.mkfifo(path), "a pipe"),  # open() would wait for a writer
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("/dev/stdin"), "a pipe"),
    ],
    ids=["pipe", "device", "stdin"],
)
def test_what_is_no_regular_file_is_refused_at_once(make: Any, what: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    program = f"from facekit.photo.reading import read_bytes\nread_bytes({str(path)!r})"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        error = process.stderr.read()  # while its standard input stays open
    assert f"Cannot read {path}: it is {what}" in error
    assert "pass - for it" in error


SIDE = 2048


def progressive(scans: int, **options: Any) -> bytes:
    """A progressive JPEG, (2048, 2048) RGB, whose last scan is there again until it has `scans`."""
    data = encoded(Image.new("RGB", (SIDE, SIDE)), "JPEG", progressive=True, **options)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    """Each takes 5 ms and 16 bytes of this photo: 5,000 of them took half a minute."""
    all_of_it = ImageLimits(max_pixels=SIDE**2)
    assert read_image(progressive(20), limits=all_of_it).shape == (SIDE, SIDE, 3)
    many = progressive(5000)
    started = time.process_time()
    with pytest.raises(ImageTooLargeError, match=r"scans pass over 20,972 megapixels.* 2,000\."):
        read_image(many)
    assert time.process_time() - started < 1
    with pytest.raises(ImageTooLargeError, match="scans pass over"):
        read_image(progressive(21), limits=all_of_it)


def test_scans_are_counted_behind_a_segment_that_looks_like_the_end() -> None:
    data = progressive(5000)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xc4", first)
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"\xff\xd9\xff\xd9"
    with pytest.raises(ImageTooLargeError, match="scans pass over"):
        read_image(data[:second] + comment + data[second:])


def test_real_progressive_jpegs_of_the_largest_size_pass() -> None:
    """18 scans are the most that libjpeg's own script writes: for CMYK."""
    data = encoded(Image.new("CMYK", (64, 64)), "JPEG", progressive=True)
    assert data.count(b"\xff\xda") == 18
    frame = data.index(b"\xff\xc2")
    large = data[: frame + 5] + struct.pack(">HH", 10_000, 10_000) + data[frame + 9 :]
    header = read_header(large)
    require_within(header, "x.jpg", DEFAULT_LIMITS)
    assert header.scanned_pixels > 18 * 10**8


def arithmetic(mode: str, *, side: int = 64, **options: Any) -> bytes:
    """A JPEG whose header says arithmetic code; what follows it is none."""
    data = encoded(Image.new(mode, (side, side)), "JPEG", subsampling=0, **options)
    kind = 0xC2 if options.get("progressive") else 0xC0
    frame = data.index(bytes((0xFF, kind)))
    return data[:frame] + bytes((0xFF, kind + 8 + (kind == 0xC0))) + data[frame + 2 :]


def test_arithmetic_code_counts_by_the_time_that_it_may_take() -> None:
    """A CMYK photo of 62 megapixels, within all limits once, took 35 s: 560 ns a pixel."""
    for mode, components in (("L", 1), ("RGB", 3), ("CMYK", 4)):
        assert read_header(arithmetic(mode)).scanned_pixels == 72 * components * 64**2
    scans_of_rgb = (3, 1, 1, 1, 1, 1, 3, 1, 1, 1)  # libjpeg's script
    whole = read_header(arithmetic("RGB", progressive=True))
    assert whole.scanned_pixels == 72 * sum(scans_of_rgb) * 64**2
    with pytest.raises(ImageTooLargeError, match="scans pass over"):
        read_image(arithmetic("CMYK", side=2656))


def test_a_tiff_of_jpegs_has_their_scans_counted() -> None:
    jpeg = progressive(50, quality=10)
    data = tiff(smooth_pixels(), photometric=2, tags={256: SIDE, 257: SIDE, 278: SIDE, 259: 7})
    header = read_header(data + jpeg)
    assert header.scanned_pixels == 50 * SIDE**2
    strips = tiff(smooth_pixels(), photometric=2, tags={256: SIDE, 257: SIDE, 278: 8, 259: 7})
    assert read_header(strips + jpeg).scanned_pixels == 50 * 8 * SIDE
    assert read_header(data + arithmetic("L")).scanned_pixels == 4 * 72 * SIDE**2


def test_packed_texts_of_a_png_are_refused() -> None:
    """libpng unpacks each, to 8 MB, and keeps it: 100 in a file of 0.7 MB took 0.7 GB and 4 s."""
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1000)))
    rows = np.zeros((4, 4, 3), np.uint8)
    assert not read_image(png(rows, bits=8, color=2, before_data=text * 16)).any()
    with pytest.raises(ImageError, match="17 packed texts"):
        read_image(png(rows, bits=8, color=2, before_data=text * 17))
    with pytest.raises(ImageError, match="more than 100,000 chunks"):
        read_image(png(rows, bits=8, color=2, before_data=png_chunk(b"teXt", b"") * 100_001))


PEAK = """
import sys
from pathlib import Path
from facekit.photo.decode import read_image

def peak_bytes():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

read_image(sys.argv[2])
data = Path(sys.argv[1]).read_bytes()
before = peak_bytes()
read_image(data)
print(peak_bytes() - before)
"""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: progressive(10, subsampling=0), id="progressive"),
        pytest.param(
            lambda: png(np.zeros((SIDE, SIDE, 4), np.uint16), bits=16, color=6), id="rgba16"
        ),
        pytest.param(lambda: png(np.zeros((SIDE, SIDE, 4), np.uint8), bits=8, color=6), id="rgba8"),
        pytest.param(
            lambda: tiff(np.zeros((SIDE, SIDE, 4), np.uint16), photometric=2, tags={338: 2}),
            id="tiff-rgba16",
        ),
    ],
)
def test_decoding_takes_no_more_memory_than_is_said(data: Any, tmp_path: Path) -> None:
    photo, tiny = tmp_path / "photo", tmp_path / "tiny"
    photo.write_bytes(data())
    tiny.write_bytes(sample("PNG"))
    run = subprocess.run(
        [sys.executable, "-c", PEAK, photo, tiny], capture_output=True, text=True, check=True
    )
    said = read_header(photo.read_bytes()).peak_bytes_per_pixel * SIDE**2
    assert 0.5 * said < int(run.stdout) < 1.1 * said + 5e6


def test_a_photo_whose_decoding_takes_too_much_memory_is_refused() -> None:
    """A file of 1 MB, within the limit on pixels, took 2.8 GB."""
    deep = png(np.zeros((1, 1, 4), np.uint16), bits=16, color=6, size=(10_000, 10_000))
    with pytest.raises(ImageTooLargeError, match=r"takes 1,600 MB; the limit is 1,200 MB"):
        read_image(deep)
    require_within(
        read_header(png(np.zeros((1, 1, 3), np.uint8), bits=8, color=2, size=(10_000, 10_000))),
        "x.png",
        DEFAULT_LIMITS,
    )


def test_limits_are_positive() -> None:
    assert (DEFAULT_LIMITS.max_pixels, DEFAULT_LIMITS.max_bytes) == (10**8, 256 * 10**6)
    for wrong in ({"max_pixels": 0}, {"max_bytes": -1}):
        with pytest.raises(ValueError, match="positive"):
            ImageLimits(**wrong)
