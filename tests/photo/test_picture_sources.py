"""What is a picture from Python: paths, bytes, file objects, arrays, Pillow's pictures."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from facekit.errors import ImageError, ImageTooLargeError, UsageError
from facekit.photo.decode import load_picture
from facekit.photo.limits import ImageLimits
from tests.photo.picture_samples import (
    HEIGHT,
    WIDTH,
    assert_close,
    encoded,
    smooth_alpha,
    smooth_pixels,
)

RGB = Image.fromarray(smooth_pixels())
PNG = encoded(RGB, "PNG")


class TestFileObjects:
    def test_an_open_file_is_its_content_under_its_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(PNG)
        with path.open("rb") as file:
            picture = load_picture(file)
        np.testing.assert_array_equal(picture.pixels, smooth_pixels())
        assert (picture.name, picture.sha256) == (str(path), hashlib.sha256(PNG).hexdigest())

    def test_one_in_memory_is_read_from_where_it_stands(self) -> None:
        file = io.BytesIO(b"before" + PNG)
        file.seek(6)
        picture = load_picture(file)
        np.testing.assert_array_equal(picture.pixels, smooth_pixels())
        assert picture.name == "<file>"

    def test_no_more_is_read_than_the_limit_allows(self) -> None:
        file = io.BytesIO(bytes(10_000_000))
        with pytest.raises(ImageTooLargeError, match="more bytes than the limit"):
            load_picture(file, limits=ImageLimits(max_bytes=1000))
        assert file.tell() < 3_000_000

    def test_text_is_refused(self) -> None:
        with pytest.raises(UsageError, match="it gives str, not bytes; open it as binary"):
            load_picture(io.StringIO("text"))  # type: ignore[arg-type]  # refused

    def test_one_that_is_read_in_another_way_is_not_taken_for_text(self) -> None:
        class Whole:
            def read(self) -> bytes:
                raise NotImplementedError

        with pytest.raises(UsageError, match=r"read\(\) takes 1 positional argument"):
            load_picture(Whole())  # type: ignore[arg-type]  # refused

    def test_what_cannot_be_read_is_an_image_error(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(PNG)
        with path.open("rb") as file:
            pass
        with pytest.raises(ImageError, match=r"a\.png"):
            load_picture(file)


def test_the_limit_is_one_of_bytes_whatever_the_elements() -> None:
    source = memoryview(bytes(2000)).cast("I")
    with pytest.raises(ImageTooLargeError, match="more bytes than the limit"):
        load_picture(source, limits=ImageLimits(max_bytes=1000))  # type: ignore[arg-type]  # refused


@pytest.mark.parametrize("buffer", [bytearray, memoryview])
def test_all_kinds_of_bytes(buffer: Any) -> None:
    picture = load_picture(buffer(PNG))
    np.testing.assert_array_equal(picture.pixels, smooth_pixels())
    assert picture.name == "<bytes>"


class TestPillow:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_turned_upright_by_its_own_exif_data(self, file_format: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[274] = orientation
        options = {"tiffinfo": exif} if file_format == "TIFF" else {"exif": exif}
        data = encoded(RGB, file_format, **options)
        wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(
            load_picture(Image.open(io.BytesIO(data))).pixels, np.asarray(wanted)
        )
        np.testing.assert_array_equal(load_picture(wanted).pixels, np.asarray(wanted))

    @pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK", "YCbCr"])
    def test_every_mode_gives_what_its_file_gives(self, mode: str) -> None:
        if mode in ("LA", "RGBA"):
            picture = Image.fromarray(np.dstack([smooth_pixels(), smooth_alpha()])).convert(mode)
            wanted = load_picture(encoded(picture, "PNG")).pixels.astype(np.int64)
        else:
            picture = RGB.convert(mode)
            wanted = np.asarray(picture.convert("RGB"), np.int64)
        assert_close(load_picture(picture).pixels, wanted, tolerance=1)

    def test_16_bits_are_scaled_not_cut_off(self) -> None:
        deep = np.array([[0, 257, 32896, 65535]], np.uint16)
        found = load_picture(Image.fromarray(deep)).pixels
        assert found[0, :, 0].tolist() == [0, 1, 128, 255]

    def test_name_and_hash(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(PNG)
        assert load_picture(Image.open(path)).name == str(path)
        in_memory = load_picture(RGB)
        assert in_memory.name == "<picture>"
        assert in_memory.sha256 == hashlib.sha256(smooth_pixels().tobytes()).hexdigest()

    @pytest.mark.parametrize("mode", ["I", "F"])
    def test_samples_without_a_known_range_are_refused(self, mode: str) -> None:
        with pytest.raises(ImageError, match=f"mode is {mode}"):
            load_picture(RGB.convert("L").convert(mode))

    def test_a_damaged_file_is_an_image_error(self) -> None:
        cut = Image.open(io.BytesIO(encoded(RGB, "JPEG")[:-200]))
        with pytest.raises(ImageError, match="truncated"):
            load_picture(cut)

    def test_the_limit_on_pixels_holds(self) -> None:
        with pytest.raises(ImageTooLargeError, match=f"{WIDTH} x {HEIGHT} pixels"):
            load_picture(RGB, limits=ImageLimits(max_pixels=100))


@pytest.mark.parametrize(
    ("source", "received"),
    [
        (3, "int"),
        (None, "NoneType"),
        (["a.jpg"], "list"),
        (np.zeros((4, 4), np.uint8), r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), r"float32 \(4, 4, 3\)"),
    ],
)
def test_anything_else_is_refused_and_the_kinds_are_named(source: Any, received: str) -> None:
    with pytest.raises(UsageError, match=rf"A photo is a path.*Pillow.*Received: .*{received}"):
        load_picture(source)


def test_a_picture_shows_itself_without_its_pixels() -> None:
    picture = load_picture(PNG)
    assert (
        repr(picture)
        == f"Picture('<bytes>', {WIDTH} x {HEIGHT}, sha256='{picture.sha256[:12]}'...)"
    )
