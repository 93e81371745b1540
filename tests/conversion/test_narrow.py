"""narrow_weights on a network of a few kilobytes: one layer of few positions, the dense one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.conversion.vela.narrow import narrow_weights
from facekit.errors import UsageError
from facekit.model.inspect import inspect_model
from facekit.runtime.interpreter import new_interpreter
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

STEM, DENSE = (8, 3, 3, 3), (10, 8)  # 7 x 7 positions, and one


@pytest.fixture
def source(data: Path) -> Path:
    return data / "tiny" / "int8.tflite"


def narrowed(source: Path, folder: Path, bits: int, **options: int) -> Path:
    path = folder / f"narrow{bits}.tflite"
    path.write_bytes(narrow_weights(source.read_bytes(), bits=bits, **options))
    return path


def weights(path: Path, shape: tuple[int, ...]) -> tuple[Float32Array, Float32Array]:
    """(integers, scale of each output channel) of the constant of that shape, as float32."""
    interpreter = new_interpreter(path, threads=1)
    interpreter.allocate_tensors()
    (detail,) = (
        one
        for one in interpreter.get_tensor_details()
        if tuple(one["shape"]) == shape and one["dtype"] == np.int8
    )
    scales = detail["quantization_parameters"]["scales"].reshape(-1, *[1] * (len(shape) - 1))
    return interpreter.get_tensor(detail["index"]).astype(np.float32), scales


@pytest.mark.parametrize("bits", [4, 5, 6, 7])
def test_weights_are_those_of_the_source_up_to_half_a_step(
    source: Path, tmp_path: Path, bits: int
) -> None:
    before, scales_before = weights(source, DENSE)
    after, scales = weights(narrowed(source, tmp_path, bits), DENSE)
    assert np.abs(after).max() == 2 ** (bits - 1) - 1
    np.testing.assert_array_less(
        np.abs(after * scales - before * scales_before), 0.5001 * scales * np.ones_like(after)
    )


def test_layers_of_many_positions_keep_their_weights(source: Path, tmp_path: Path) -> None:
    before, scales_before = weights(source, STEM)
    after, scales = weights(narrowed(source, tmp_path, 4), STEM)
    np.testing.assert_array_equal(after, before)
    np.testing.assert_array_equal(scales, scales_before)
    after, _ = weights(narrowed(source, tmp_path, 4, max_positions=49), STEM)
    assert np.abs(after).max() == 7


def test_the_network_computes_what_it_did(source: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)
    (expected,) = LiteRtNet(source).run(pictures)
    errors = []
    for bits in (7, 6, 5, 4):
        (received,) = LiteRtNet(narrowed(source, tmp_path, bits)).run(pictures)
        errors.append(float(np.abs(received - expected).max()))
    step = inspect_model(source).outputs[0].scales[0]
    assert errors[0] <= 1.01 * step  # rounding a bit away moves an output by one step at most
    assert 0 < errors[-1] < 0.15 * np.ptp(expected)


def test_the_file_keeps_its_form(source: Path, tmp_path: Path) -> None:
    path = narrowed(source, tmp_path, 6)
    assert path.stat().st_size == source.stat().st_size
    assert inspect_model(path).histogram == inspect_model(source).histogram
    assert narrowed(source, tmp_path, 6).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("bits", [0, 3, 8, 16])
def test_widths_that_are_none(source: Path, bits: int) -> None:
    with pytest.raises(UsageError, match=f"4 to 7 bits. Received: {bits}"):
        narrow_weights(source.read_bytes(), bits=bits)
