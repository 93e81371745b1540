"""Damaged files of every format: an ImageError or a picture, never anything else, and silence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facekit.errors import ImageError
from facekit.photo.decode import read_image
from facekit.photo.limits import ImageLimits
from tests.photo.picture_samples import PHOTO_FORMATS, encoded, sample, smooth_pixels, tiff

LIMITS = ImageLimits(max_pixels=1_000_000)  # a flipped size must not make the test slow

SAMPLES = {name: sample(name) for name in PHOTO_FORMATS} | {
    "progressive JPEG": encoded(Image.fromarray(smooth_pixels()), "JPEG", progressive=True),
    "LZW TIFF": encoded(Image.fromarray(smooth_pixels()), "TIFF", compression="tiff_lzw"),
    "16-bit TIFF": tiff(smooth_pixels().astype(np.uint16), photometric=2, order=">"),
    "palette PNG": encoded(Image.fromarray(smooth_pixels()).quantize(16), "PNG", transparency=3),
}


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr().err == ""


def assert_picture_or_error(data: bytes) -> None:
    try:
        pixels = read_image(data, limits=LIMITS)
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 0 < pixels.size <= 3 * LIMITS.max_pixels


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=150, deadline=None)
@given(drawn=st.data())
def test_flipped_bytes_give_a_picture_or_an_image_error(name: str, drawn: st.DataObject) -> None:
    """Half of the changes fall into the first 64 bytes, where sizes and kinds are."""
    data = bytearray(SAMPLES[name])
    offset = st.one_of(st.integers(0, 63), st.integers(0, len(data) - 1))
    changes = st.lists(st.tuples(offset, st.integers(0, 255)), min_size=1, max_size=4)
    for at, value in drawn.draw(changes):
        data[at] = value
    assert_picture_or_error(bytes(data))


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=50, deadline=None)
@given(drawn=st.data())
def test_lost_and_inserted_pieces(name: str, drawn: st.DataObject) -> None:
    data = SAMPLES[name]
    start = drawn.draw(st.integers(0, len(data)))
    end = drawn.draw(st.integers(start, len(data)))
    assert_picture_or_error(data[:start] + drawn.draw(st.binary(max_size=40)) + data[end:])


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=50, deadline=None)
@given(rest=st.binary(max_size=200))
def test_anything_after_a_signature(name: str, rest: bytes) -> None:
    assert_picture_or_error(SAMPLES[name][:16] + rest)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=100))
def test_any_bytes_give_a_picture_or_an_image_error(data: bytes) -> None:
    assert_picture_or_error(data)
