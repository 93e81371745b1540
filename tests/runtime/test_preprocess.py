"""Pixel scaling, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.enums import ColorOrder
from facekit.runtime.preprocess import model_input
from facekit.types import InputSpec

FACENET = InputSpec(1, 2, ColorOrder.RGB, 127.5, 128.0)


def crop(*pixels: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.array([[pixels]], np.uint8)


def test_facenet_scaling_by_hand() -> None:
    values = model_input(crop((0, 127, 255), (128, 64, 1)), FACENET)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(
        values[0, 0],
        np.array(
            [[-0.99609375, -0.00390625, 0.99609375], [0.00390625, -0.49609375, -0.98828125]],
            np.float32,
        ),
    )


def test_deepface_profile_swaps_channels_and_divides_by_255() -> None:
    values = model_input(crop((255, 0, 51), (0, 0, 0)), InputSpec(1, 2, ColorOrder.BGR, 0, 255))
    np.testing.assert_allclose(values[0, 0, 0], [0.2, 0, 1], atol=1e-7)


def test_an_empty_batch_keeps_its_shape() -> None:
    assert model_input(np.zeros((0, 1, 2, 3), np.uint8), FACENET).shape == (0, 1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 1, 2, 3), np.float32),
        np.zeros((1, 2, 1, 3), np.uint8),
        np.zeros((1, 1, 2, 4), np.uint8),
        np.zeros((1, 2, 3), np.uint8),
    ],
)
def test_anything_else_is_refused(wrong: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="Received"):
        model_input(wrong, FACENET)


@pytest.mark.parametrize(("mean", "std"), [(0, 0), (0, -1), (float("nan"), 1)])
def test_impossible_spec_is_refused(mean: float, std: float) -> None:
    with pytest.raises(ValueError, match="std positive"):
        InputSpec(1, 1, ColorOrder.RGB, mean, std)
