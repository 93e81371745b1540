"""Quantizes a float32 LiteRT file with ai-edge-quantizer, without TensorFlow."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from facekit.conversion.quantize.integer_forms import convert_to_integer_forms
from facekit.conversion.quantize.range_rules import Range
from facekit.conversion.quantize.recipe import InputType, Recipe
from facekit.errors import InputError, ModelBuildError
from facekit.graph.activations import (
    begins_with_convolution,
    input_tensor,
    list_activations,
    shift_input,
)
from facekit.system.extras import require
from facekit.system.native_output import captured
from facekit.types import InputSpec

PACKAGE = "ai-edge-quantizer"
_INT8_ZERO = 128  # an int8 input value is the pixel value minus 128


def quantize_file(
    content: bytes, spec: InputSpec, recipe: Recipe, ranges: Mapping[str, Range]
) -> tuple[bytes, InputSpec]:
    """Returns the quantized file and the InputSpec that it expects.  The result is deterministic.

    `content` and `spec` are the float32 file and its input.  `ranges` has the range, (min, max) in
    real numbers, of all activations by activation key; it is empty if the recipe needs none.

    An integer input takes pixel values: the input tensor's scale is 1 / spec.std and its zero point
    an integer, so that q = pixel - 128 (int8) or q = pixel (uint8) represents the input (pixel -
    mean) / std without error.  If spec.mean is not an integer, the returned spec has the mean
    rounded up.  If the network begins with a convolution, its bias compensates for the difference;
    otherwise the network's input is smaller by that difference, which is half a gray level for a
    mean of 127.5.

    Raises MissingExtraError if ai-edge-quantizer is not installed, InputError if the ranges do not
    fit, and ModelBuildError if the file cannot be quantized.
    """
    quantized_spec = quantized_input(spec, recipe)
    if quantized_spec != spec and begins_with_convolution(content):
        content = shift_input(content, (quantized_spec.mean - spec.mean) / spec.std)
    statistics = _statistics(content, quantized_spec, ranges) if recipe.needs_ranges else None
    module = require("ai_edge_quantizer.quantizer", extra="convert", needed_for="Quantizing")
    try:
        with _quiet():
            quantizer = module.Quantizer(bytearray(content), list(recipe.operations))
            result = quantizer.quantize(statistics, enable_progress_report=False)
    except Exception as error:  # it trusts the recipe, in which anything may stand
        raise ModelBuildError(
            f"{PACKAGE} {tool_version()} cannot quantize by {recipe.name}: {error}"
        ) from error
    return convert_to_integer_forms(
        bytes(result.quantized_model), recipe.integer_forms
    ), quantized_spec


def quantized_input(spec: InputSpec, recipe: Recipe) -> InputSpec:
    """Returns the InputSpec of the quantized file.

    For an integer input this is `spec` with the mean rounded up.
    """
    if recipe.input is InputType.FLOAT32:
        return spec
    return replace(spec, mean=float(math.ceil(spec.mean)))


def input_formula(spec: InputSpec, recipe: Recipe, *, in_bias: bool = True) -> str:
    """Returns the formula from a pixel to the input tensor's value, for a board's C code.

    `spec` is the float32 file's input.  `in_bias` states that the network begins with a
    convolution, whose bias compensates for a rounded mean.
    """
    order = f"channels in {spec.color_order.value} order"
    if recipe.input is InputType.FLOAT32:
        return f"x = (pixel - {spec.mean:g}) / {spec.std:g}, float32; {order}"
    quantized_spec = quantized_input(spec, recipe)
    zero_point = int(quantized_spec.mean)
    if recipe.input is InputType.INT8:
        formula, zero_point = "q = pixel - 128 (int8)", zero_point - _INT8_ZERO
    else:
        formula = "q = pixel (uint8)"
    text = (
        f"{formula}; scale 1/{quantized_spec.std:g}, zero point {zero_point}, so q stands for "
        f"(pixel - {quantized_spec.mean:g}) / {quantized_spec.std:g} exactly; {order}"
    )
    if quantized_spec == spec:
        return text
    if not in_bias:
        return f"{text}; in float32 the net sees (pixel - {spec.mean:g}) / {spec.std:g}"
    return (
        f"{text}; the first bias adds {quantized_spec.mean - spec.mean:g}/{quantized_spec.std:g} "
        f"to every input, so the net computes with (pixel - {spec.mean:g}) / {spec.std:g}, as in "
        "float32"
    )


@cache
def tool_version() -> str:
    return version(PACKAGE)


def _statistics(
    content: bytes, spec: InputSpec, ranges: Mapping[str, Range]
) -> dict[str, dict[str, Any]]:
    """Returns the ranges in ai-edge-quantizer's format for calibration results.

    In this format a range consists of arrays of the tensor's rank.
    """
    found = list_activations(content)
    keys = {activation.key for activation in found}
    if keys != ranges.keys():
        mismatched = sorted(keys ^ ranges.keys())
        raise InputError(
            f"Activation ranges for all {len(keys)} layers of the file needed, and for no others. "
            f"Missing or too many: {', '.join(mismatched[:3])}"
            f"{', ...' if len(mismatched) > 3 else ''}"
        )
    name, rank = input_tensor(content)
    input_range = (-spec.mean / spec.std, (255 - spec.mean) / spec.std)
    return {
        name: _as_arrays(input_range, rank),
        **{
            activation.tensor: _as_arrays(ranges[activation.key], activation.rank)
            for activation in found
        },
    }


def _as_arrays(value_range: Range, rank: int) -> dict[str, Any]:
    low, high = (np.full((1,) * rank, bound, np.float32) for bound in value_range)
    return {"min": low, "max": high}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses ai-edge-quantizer's progress bars and warnings, and LiteRT's INFO lines."""
    with (
        warnings.catch_warnings(),
        redirect_stderr(io.StringIO()),
        captured(lambda line: line.startswith(b"INFO: ")),
    ):
        warnings.simplefilter("ignore")
        yield
