"""A uint8 pixel becomes the integer input by at most one subtraction, exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.quantizer import input_formula, quantize_file
from facekit.conversion.quantize.range_rules import Range, compute_ranges
from facekit.conversion.quantize.recipe import read_recipe
from facekit.enums import ColorOrder, RangeRule
from facekit.errors import InputError
from facekit.graph import operations
from facekit.graph.activations import begins_with_convolution, shift_input
from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet, _quantize
from facekit.runtime.preprocess import model_input
from facekit.types import InputSpec, UInt8Array
from tests.networks.tiny_embedder import SPEC, tiny_embedder

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")

PIXELS = np.arange(256)
SMALL = InputSpec(4, 4, ColorOrder.RGB, mean=127.5, std=128.0)
DEEPFACE = InputSpec(16, 16, ColorOrder.BGR, mean=0.0, std=255.0)


def noise(count: int) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def measured(content: bytes, spec: InputSpec) -> dict[str, Range]:
    return compute_ranges(activation_histograms(content, spec, noise(32)), RangeRule.MINMAX)


@pytest.mark.parametrize("spec", [SPEC, DEEPFACE], ids=["facenet", "deepface"])
@pytest.mark.parametrize(
    ("recipe", "subtracted", "dtype"),
    [("static_wi8_ai8", 128, "int8"), ("static_wi8_ai8_iu8", 0, "uint8")],
)
def test_every_pixel_by_the_published_formula(
    data: Path, tmp_path: Path, spec: InputSpec, recipe: str, subtracted: int, dtype: str
) -> None:
    model = tiny_embedder(data, tmp_path, spec=spec)
    content = model.path.read_bytes()
    steps = read_recipe(recipe)
    made, fed = quantize_file(content, spec, steps, measured(content, spec))
    path = tmp_path / "made.tflite"
    path.write_bytes(made)
    (tensor,) = LiteRtNet(path).inputs
    assert tensor.dtype == dtype
    assert tensor.scale == np.float32(1 / spec.std)
    # What a board computes ...
    integers = PIXELS - subtracted
    # ... is what facekit feeds, for all 256 pixels,
    pixels = np.zeros((1, 16, 16, 3), np.uint8)
    pixels.reshape(-1)[:256] = PIXELS
    ordered = model_input(pixels, replace(fed, color_order=ColorOrder.RGB))
    np.testing.assert_array_equal(_quantize(ordered, tensor).reshape(-1)[:256], integers)
    # and stands for the float input within half a step, which the first bias gives back.
    real = tensor.scale * (integers - tensor.zero_point)
    half_step = (fed.mean - spec.mean) / spec.std
    assert half_step in (0.0, 0.5 / 128)
    np.testing.assert_allclose(real + half_step, (PIXELS - spec.mean) / spec.std, atol=1e-7)
    formula = input_formula(spec, steps)
    assert formula.startswith("q = pixel - 128 (int8)" if subtracted else "q = pixel (uint8)")
    assert f"scale 1/{spec.std:g}, zero point {tensor.zero_point}" in formula
    assert f"channels in {spec.color_order.value} order" in formula


def test_the_first_bias_takes_up_the_half_step(data: Path, tmp_path: Path) -> None:
    model = tiny_embedder(data, tmp_path)
    shifted = tmp_path / "shifted.tflite"
    shifted.write_bytes(shift_input(model.path.read_bytes(), 0.5 / 128))
    crops = noise(4)
    (before,) = LiteRtNet(model.path).run(model_input(crops, SPEC))
    (after,) = LiteRtNet(shifted).run(model_input(crops, replace(SPEC, mean=128.0)))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


@pytest.mark.model
def test_the_half_step_in_the_real_net(tmp_path: Path) -> None:
    model = find(DEFAULT_MODEL)
    spec = model.card.input
    shifted = tmp_path / "shifted.tflite"
    shifted.write_bytes(shift_input(model.path.read_bytes(), 0.5 / 128))
    crops = np.random.default_rng(1).integers(0, 256, (1, 160, 160, 3), dtype=np.uint8)
    (before,) = LiteRtNet(model.path).run(model_input(crops, spec))
    (after,) = LiteRtNet(shifted).run(model_input(crops, replace(spec, mean=128.0)))
    np.testing.assert_allclose(after, before, atol=2e-5)


def test_of_a_net_that_pads_its_input_only_the_border_shifts(tmp_path: Path) -> None:
    x = operations.graph_input("x", (1, 6, 6, 3))
    kernel = np.random.default_rng(2).standard_normal((3, 3, 3, 4), np.float32)
    padded = Graph("net", (operations.convolution(x, kernel, "y", pads=(1, 1, 1, 1)),))
    picture = np.random.default_rng(3).standard_normal((1, 6, 6, 3), np.float32)
    answers = []
    for name, content, fed in (
        ("before", to_litert(padded), picture),
        ("after", shift_input(to_litert(padded), 0.5), picture - np.float32(0.5)),
    ):
        (tmp_path / name).write_bytes(content)
        answers.append(LiteRtNet(tmp_path / name).run(fed)[0])
    before, after = answers
    np.testing.assert_allclose(after[:, 1:-1, 1:-1], before[:, 1:-1, 1:-1], atol=1e-5)
    assert np.abs(after - before)[:, 0].max() > 0.1


def test_a_net_without_a_first_convolution_sees_half_a_level_less(tmp_path: Path) -> None:
    x = operations.graph_input("x", (1, 4, 4, 3))
    content = to_litert(Graph("net", (operations.mean(operations.relu(x, "relu"), "mean"),)))
    assert not begins_with_convolution(content)
    grays = np.broadcast_to(
        np.arange(0, 256, 5, dtype=np.uint8)[:, None, None, None], (52, 4, 4, 3)
    )
    found = compute_ranges(activation_histograms(content, SMALL, grays), RangeRule.MINMAX)
    made, fed = quantize_file(content, SMALL, read_recipe("static_wi8_ai8"), found)
    (tmp_path / "made.tflite").write_bytes(made)
    gray = np.full((1, 4, 4, 3), 200, np.uint8)
    (answer,) = LiteRtNet(tmp_path / "made.tflite").run(model_input(gray, fed))
    np.testing.assert_allclose(answer, 72 / 128, atol=1 / 128)
    formula = input_formula(SMALL, read_recipe("static_wi8_ai8"), in_bias=False)
    assert formula.endswith("in float32 the net sees (pixel - 127.5) / 128")


def test_ranges_of_another_net_are_refused(data: Path, tmp_path: Path) -> None:
    model = tiny_embedder(data, tmp_path)
    content = model.path.read_bytes()
    found = measured(content, SPEC)
    gone = sorted(found)[0]
    del found[gone]
    with pytest.raises(InputError, match=f"Missing or too many: {gone}"):
        quantize_file(content, SPEC, read_recipe("static_wi8_ai8"), found)


def test_the_same_arguments_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    model = tiny_embedder(data, tmp_path)
    content = model.path.read_bytes()
    found = measured(content, SPEC)
    for name in ("static_wi8_ai8", "static_wi8_ai16", "dynamic_wi8_afp32"):
        recipe = read_recipe(name)
        given = found if recipe.needs_ranges else {}
        assert quantize_file(content, SPEC, recipe, given) == quantize_file(
            content, SPEC, recipe, given
        )
