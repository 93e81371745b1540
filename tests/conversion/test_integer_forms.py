"""Operators that ai-edge-quantizer leaves in float32, in integers, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.integer_forms import (
    FORMS,
    convert_to_integer_forms,
    float_operators,
)
from facekit.conversion.quantize.quantizer import quantize_file
from facekit.conversion.quantize.range_rules import compute_ranges
from facekit.conversion.quantize.recipe import read_recipe
from facekit.enums import ColorOrder, RangeRule
from facekit.graph import operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.preprocess import model_input
from facekit.types import InputSpec, UInt8Array

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")

SPEC = InputSpec(8, 8, ColorOrder.RGB, mean=127.5, std=128.0)
SLOPES = np.array([-0.8, 0.25, 0.0, 1.7], np.float32)
INT8, UINT8 = read_recipe("static_wi8_ai8"), read_recipe("static_wi8_ai8_iu8")


def pictures(count: int) -> UInt8Array:
    return np.random.default_rng(4).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def net(*middle: Callable[[Node, str], Node]) -> bytes:
    """Convolution, one of `middle`, convolution, the next, ..., mean."""
    random = np.random.default_rng(5)
    x = operations.graph_input("x", (1, 8, 8, 3))
    for number, activation in enumerate(middle):
        kernel = 0.4 * random.standard_normal((3, 3, x.shape[3], 4), np.float32)
        x = activation(operations.convolution(x, kernel, f"conv{number}"), f"act{number}")
    return to_litert(Graph("net", (operations.mean(x, "mean"),)))


def prelu(x: Node, name: str) -> Node:
    return operations.prelu(x, SLOPES, name)


def leaky(x: Node, name: str) -> Node:
    return operations.leaky_relu(x, 0.3, name)


def elu(x: Node, name: str) -> Node:
    return operations.activation(Operation.ELU, x, name)


def measured(content: bytes) -> Mapping[str, tuple[float, float]]:
    return compute_ranges(activation_histograms(content, SPEC, pictures(24)), RangeRule.MINMAX)


def answers(path: Path, content: bytes, spec: InputSpec) -> np.ndarray:
    path.write_bytes(content)
    return LiteRtNet(path).run(model_input(pictures(24), spec))[0]


@pytest.mark.parametrize(
    ("middle", "left"),
    [((prelu, prelu), {"PRELU": 2}), ((leaky, leaky), {}), ((prelu, elu, leaky), {})],
    ids=["prelu", "leaky", "mixed"],
)
def test_integer_forms_answer_as_float32_does(
    tmp_path: Path, middle: tuple[Callable[[Node, str], Node], ...], left: dict[str, int]
) -> None:
    content = net(*middle)
    wanted = answers(tmp_path / "float32.tflite", content, SPEC)
    for recipe in (INT8, UINT8):
        made, fed = quantize_file(content, SPEC, recipe, measured(content))
        stays = {"ELU": 1} if elu in middle else {}
        if recipe is INT8 and prelu in middle:
            stays["PRELU"] = middle.count(prelu)
        assert float_operators(made) == stays
        if recipe is INT8 and elu not in middle:
            assert float_operators(made) == left
        received = answers(tmp_path / f"{recipe.variant}.tflite", made, fed)
        assert np.abs(received - wanted).max() < 0.03 * np.abs(wanted).max()


def test_a_prelu_in_integers_is_as_near_to_float32_as_one_between_conversions(
    tmp_path: Path,
) -> None:
    content = net(prelu, prelu)
    plain, fed = quantize_file(content, SPEC, replace(UINT8, integer_forms=()), measured(content))
    assert float_operators(plain) == {"PRELU": 2}
    wanted, between, whole = (
        answers(tmp_path / f"{number}.tflite", made, spec)
        for number, (made, spec) in enumerate(
            ((content, SPEC), (plain, fed), (convert_to_integer_forms(plain, FORMS), fed))
        )
    )
    assert np.abs(whole - wanted).max() < 2 * np.abs(between - wanted).max() + 1e-3


def test_the_same_bytes_and_untouched_where_there_is_nothing_to_do() -> None:
    content = net(prelu, leaky)
    plain, _ = quantize_file(content, SPEC, replace(INT8, integer_forms=()), measured(content))
    made = convert_to_integer_forms(plain, FORMS)
    assert made == convert_to_integer_forms(plain, FORMS)
    assert convert_to_integer_forms(made, FORMS) is made
    assert convert_to_integer_forms(plain, ()) is plain
    assert convert_to_integer_forms(content, FORMS) is content


def test_an_activation_that_is_an_output_stays_in_float32() -> None:
    random = np.random.default_rng(6)
    x = operations.graph_input("x", (1, 8, 8, 3))
    kernel = random.standard_normal((3, 3, 3, 4), np.float32)
    content = to_litert(Graph("net", (prelu(operations.convolution(x, kernel, "conv"), "out"),)))
    made, _ = quantize_file(content, SPEC, UINT8, measured(content))
    assert float_operators(made) == {"PRELU": 1}


def test_layers_that_a_recipe_names_stay_in_float32(tmp_path: Path) -> None:
    content = net(leaky, leaky)
    step = {
        "regex": ".*(conv1|act1)",
        "operation": "*",
        "algorithm_key": "no_quantize",
        "op_config": {"compute_precision": "FLOAT", "explicit_dequantize": False},
    }
    path = tmp_path / "mine.json"
    path.write_text(replace(INT8, operations=(*INT8.operations, step)).to_json())
    made, _ = quantize_file(content, SPEC, read_recipe(str(path)), measured(content))
    assert float_operators(made) == {"CONV_2D": 1, "LEAKY_RELU": 2}  # act0 feeds conv1
