"""Every way in which a file is not a picture: exit code 4, one line, the name and the reason."""

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

from facekit.errors import ImageError
from facekit.photo.decode import load_picture, read_image
from tests.photo.picture_samples import (
    EACH_FORMAT,
    PHOTO_FORMATS,
    encoded,
    sample,
    smooth_pixels,
    tiff,
)

PHOTO = Image.fromarray(smooth_pixels())
DEEP = smooth_pixels().astype(np.uint16)


def reason(source: str | os.PathLike[str] | bytes) -> str:
    """The message of the error, checked for its form and without the name."""
    with pytest.raises(ImageError) as caught:
        read_image(source)
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert "\n" not in message
    name = "<bytes>" if isinstance(source, bytes) else os.fspath(source)
    start = f"Cannot read {name}: "
    assert message.startswith(start)
    return message.removeprefix(start)


def test_an_empty_file_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert reason(path) == "it is empty"
    assert reason(b"") == "it is empty"


def test_a_missing_file_is_said_to_be(tmp_path: Path) -> None:
    assert reason(tmp_path / "nobody.jpg") == "No such file or directory"
    assert reason(tmp_path / ("x" * 300)) == "File name too long"


def test_a_directory_is_said_to_be(tmp_path: Path) -> None:
    assert reason(tmp_path) == "it is a directory. Name the photos in it."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(sample("JPEG"))
    path.chmod(0)
    assert reason(path) == "Permission denied"


def test_null_character_in_the_name() -> None:
    with pytest.raises(ImageError, match=r"^Cannot read a\\x00b: .*embedded null"):
        read_image("a\0b")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, world\n", "it is text, not a picture"),
        ("größer".encode(), "it is text, not a picture"),
        ("é".encode() * 600, "it is text, not a picture"),
        ("text".encode("utf-16"), "it is text, not a picture"),
        (b"<!DOCTYPE html><html>404</html>", "it is an HTML page"),
        (b'<?xml version="1.0"?>\n<svg width="1">', "SVG drawing, which is not supported. Convert"),
        (b"%PDF-1.7\n\xe2\xe3", "PDF document, which is not supported. Convert"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC picture, which is not supported. Convert"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF picture, which is not supported. Convert"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf", "AVIF picture, which is not supported. Convert"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "an MP4 or QuickTime file, not a picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 picture, which is not supported. Convert"),
        (b"\xff\x0a\x00\x01", "JPEG XL picture, which is not supported. Convert"),
        (b"8BPS\0\1", "Photoshop document, which is not supported. Convert"),
        (b"II+\0\x08\0", "BigTIFF picture, which is not supported. Convert"),
        (b"PK\3\4\x14\0", "a ZIP archive, not a picture"),
        (bytes(5000), "it is not a picture; JPEG, PNG, WebP, BMP, TIFF and GIF are read"),
        (b"\x93NUMPY\1\0", "a numpy file, not a picture"),
        (b"BM, the car maker, as text of no header size", "it is text, not a picture"),
    ],
)
def test_other_kinds_of_file_are_named(data: bytes, words: str) -> None:
    assert words in reason(data)


@pytest.mark.parametrize("file_format", EACH_FORMAT)
def test_every_truncation_is_refused(file_format: str) -> None:
    """A TIFF's or BMP's last bytes may be padding; all others end with something that is needed."""
    data = sample(file_format)
    for length in range(0, len(data) - 1, 1 + len(data) // 500):
        with pytest.raises(ImageError, match=r"truncated|damaged|empty|not a picture"):
            read_image(data[:length])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}])
def test_truncated_jpeg_with_a_thumbnail(options: dict[str, Any]) -> None:
    """EXIF's thumbnail has an end marker of its own, which is not the photo's."""
    data = encoded(PHOTO, "JPEG", **options)
    thumbnail = b"Exif\0\0MM\0*" + sample("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = data[:2] + segment + data[2:]
    assert read_image(whole).shape == smooth_pixels().shape
    assert "end-of-image marker is missing" in reason(whole[:-100])


@pytest.mark.parametrize(
    "filler", [pytest.param(b"\0" * 9000, id="zeros"), pytest.param(b"\xff\xd9", id="end-marker")]
)
def test_half_a_jpeg_with_something_in_place_of_the_rest(filler: bytes) -> None:
    """A crashed copy leaves zeros; some servers close a picture that they cut."""
    data = sample("JPEG")
    assert "truncated" in reason(data[: len(data) * 2 // 3] + filler)


def test_jpeg_headers_that_cannot_be() -> None:
    data = sample("JPEG")
    frame = data.index(b"\xff\xc0")
    no_height = data[: frame + 5] + b"\0\0" + data[frame + 7 :]
    assert reason(no_height) == "it is damaged: its header declares 64 x 0 pixels"
    assert "no frame header" in reason(data[:frame] + b"\xff\xef" + data[frame + 2 :])
    assert "ends before its pixel data" in reason(data[:frame] + b"\xff\xd9")
    assert "more than 10,000 segments" in reason(b"\xff\xd8" + b"\xff\x01" * 20_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(smooth_pixels().astype(np.float32), photometric=2), "floating-point TIFF"),
        (tiff(smooth_pixels().astype(np.float64), photometric=2), "floating-point TIFF"),
        (tiff(smooth_pixels()[..., :1].astype(np.int16), photometric=1), "signed TIFF"),
        (tiff(smooth_pixels()[..., :1].astype(np.uint32), photometric=1), "32-bit TIFF"),
        (tiff(smooth_pixels(), photometric=8), "its color space in TIFF"),
        (tiff(smooth_pixels()[..., :2], photometric=1, tags={338: 2}), "transparency in gray TIFF"),
        (tiff(DEEP, photometric=2, planes_apart=True), "16-bit, plane by plane TIFF"),
        (tiff(DEEP[..., :1], photometric=0), "16-bit, neither gray nor RGB TIFF"),
        (tiff(smooth_pixels(), photometric=2, tags={254: 1}), "a camera's raw file"),
        (tiff(smooth_pixels(), photometric=2, tags={50706: 1}), "a camera's raw file"),
        (tiff(smooth_pixels(), photometric=2, tags={322: 2**15, 323: 2**15}), "its TIFF tiles"),
    ],
)
def test_kinds_of_tiff_that_opencv_gets_wrong(data: bytes, words: str) -> None:
    message = reason(data)
    assert words in message
    assert "Convert it" in message


def test_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV before 4.12 has no GIF."""
    monkeypatch.setattr("cv2.imdecode", lambda *_: None)
    assert "is damaged or truncated" in reason(sample("JPEG"))
    monkeypatch.setattr("cv2.getBuildInformation", lambda: "    GIF:                NO\n")
    assert "has no GIF decoder. Upgrade opencv-python-headless" in reason(sample("GIF"))


def test_a_damaged_bmp_is_said_to_be() -> None:
    """OpenCV's list of decoders leaves BMP out, which every OpenCV has."""
    data = sample("BMP")
    assert "its BMP data is damaged" in reason(
        data[:26] + b"\7\7" + data[28:30] + b"\1" + data[31:]
    )


def test_whatever_a_decoder_raises_is_an_error_of_the_photo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("cv2.imdecode", broken)
    with pytest.raises(ImageError, match=r"^<bytes> cannot be read as a photo: unforeseen"):
        read_image(sample("PNG"))


@pytest.mark.parametrize("name", ["a photo.jpg", "Bürger-写真-😀.jpg", "-"])
def test_names_of_any_characters(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(sample("JPEG"))
    assert load_picture(path).name == str(path)


def test_names_that_are_not_text(tmp_path: Path) -> None:
    """A name in another encoding arrives from the shell with surrogates, and must be printable."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9\n.jpg"

    class BytesPath:
        def __fspath__(self) -> bytes:
            return raw

    with pytest.raises(ImageError) as caught:
        read_image(BytesPath())
    assert (
        str(caught.value).encode("utf-8").endswith(rb"caf\udce9\n.jpg: No such file or directory")
    )
    with open(raw, "wb") as file:
        file.write(sample("JPEG"))
    assert read_image(BytesPath()).any()
    assert read_image(os.fsdecode(raw)).any()


def stdin_of(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin_of(monkeypatch, sample("JPEG"))
    assert load_picture("-").name == "-"
    with pytest.raises(ImageError, match=r"^Cannot read standard input: it is empty$"):
        read_image("-")  # it can be read once
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ImageError, match=r"^Cannot read standard input: it is closed$"):
        read_image("-")


def test_nothing_of_the_decoders_reaches_stderr() -> None:
    """OpenCV's log, libpng's and libjpeg's complaints, none of which Python can redirect."""
    cut = sample("JPEG")[:-200] + b"\xff\xd9"
    program = (
        "import sys\n"
        "from facekit.errors import ImageError\n"
        "from facekit.photo.decode import read_image\n"
        f"for data in {[cut, *(sample(one)[:-20] for one in PHOTO_FORMATS)]!r}:\n"
        "    try:\n"
        "        read_image(data)\n"
        "    except ImageError:\n"
        "        print('refused')\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout.split() == [b"refused"] * 7
    assert run.stderr == b""


def test_decoder_that_finds_another_size_than_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.imdecode", lambda *_: np.zeros((9, 7, 3), np.uint8))
    assert "declares 64 x 48 pixels, its data has 7 x 9" in reason(sample("PNG"))
