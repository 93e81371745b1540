"""A float32 file to a quantized one, by ai-edge-quantizer.  TensorFlow is not needed for it."""

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

from facekit.conversion.quantize.integer_forms import with_integer_forms
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
_INT8_ZERO = 128  # an int8 is its pixel less this


def quantized(
    content: bytes, spec: InputSpec, recipe: Recipe, ranges: Mapping[str, Range]
) -> tuple[bytes, InputSpec]:
    """The quantized file and what it wants to be fed; the same bytes for the same arguments.

    content, spec: the float32 file and its input.  `ranges`: by activation key, all of them;
    empty for a recipe that needs none.

    Integer inputs are pixels: the file's own scale is 1 / spec.std and its zero point an
    integer, so q = pixel - 128 (int8) or q = pixel (uint8) is the float input exactly.  Where
    spec.mean lies between two pixels, the returned spec's mean is the next pixel, and the bias of
    a convolution that comes first makes up for it; another net sees half a gray level less.

    Raises MissingExtraError, InputError for ranges that do not fit, ModelBuildError.
    """
    fed = input_of(spec, recipe)
    if fed != spec and begins_with_convolution(content):
        content = shift_input(content, (fed.mean - spec.mean) / spec.std)
    statistics = _statistics(content, fed, ranges) if recipe.needs_ranges else None
    module = require("ai_edge_quantizer.quantizer", extra="convert", needed_for="Quantizing")
    try:
        with _quiet():
            quantizer = module.Quantizer(bytearray(content), list(recipe.operations))
            result = quantizer.quantize(statistics, enable_progress_report=False)
    except (ValueError, KeyError, RuntimeError, TypeError, NotImplementedError) as error:
        raise ModelBuildError(
            f"{PACKAGE} {tool_version()} cannot quantize by {recipe.name}: {error}"
        ) from error
    return with_integer_forms(bytes(result.quantized_model), recipe.integer_forms), fed


def input_of(spec: InputSpec, recipe: Recipe) -> InputSpec:
    """What the quantized file wants to be fed."""
    if recipe.input is InputType.FLOAT32:
        return spec
    return replace(spec, mean=float(math.ceil(spec.mean)))


def input_formula(spec: InputSpec, recipe: Recipe, *, in_bias: bool = True) -> str:
    """How a pixel becomes the input tensor's value, for a board's C code.

    `in_bias`: the net begins with a convolution, whose bias makes up for half a gray level.
    """
    order = f"channels in {spec.color_order.value} order"
    if recipe.input is InputType.FLOAT32:
        return f"x = (pixel - {spec.mean:g}) / {spec.std:g}, float32; {order}"
    fed = input_of(spec, recipe)
    zero_point = int(fed.mean)
    if recipe.input is InputType.INT8:
        formula, zero_point = "q = pixel - 128 (int8)", zero_point - _INT8_ZERO
    else:
        formula = "q = pixel (uint8)"
    text = (
        f"{formula}; scale 1/{fed.std:g}, zero point {zero_point}, so q stands for "
        f"(pixel - {fed.mean:g}) / {fed.std:g} exactly; {order}"
    )
    if fed == spec:
        return text
    if not in_bias:
        return f"{text}; in float32 the net sees (pixel - {spec.mean:g}) / {spec.std:g}"
    return (
        f"{text}; the first bias adds {fed.mean - spec.mean:g}/{fed.std:g} to every input, so the "
        f"net computes with (pixel - {spec.mean:g}) / {spec.std:g}, as in float32"
    )


@cache
def tool_version() -> str:
    return version(PACKAGE)


def _statistics(
    content: bytes, fed: InputSpec, ranges: Mapping[str, Range]
) -> dict[str, dict[str, Any]]:
    """The ranges as ai-edge-quantizer takes calibration results: arrays of the tensor's rank."""
    found = list_activations(content)
    keys = {one.key for one in found}
    if keys != ranges.keys():
        odd = sorted(keys ^ ranges.keys())
        raise InputError(
            f"Activation ranges for all {len(keys)} layers of the file needed, and for no others. "
            f"Missing or too many: {', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''}"
        )
    name, rank = input_tensor(content)
    pixels = (-fed.mean / fed.std, (255 - fed.mean) / fed.std)
    return {
        name: _as_arrays(pixels, rank),
        **{one.tensor: _as_arrays(ranges[one.key], one.rank) for one in found},
    }


def _as_arrays(one: Range, rank: int) -> dict[str, Any]:
    low, high = (np.full((1,) * rank, bound, np.float32) for bound in one)
    return {"min": low, "max": high}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its progress bars, and without what LiteRT says whenever it is started."""
    with (
        warnings.catch_warnings(),
        redirect_stderr(io.StringIO()),
        captured(lambda line: line.startswith(b"INFO: ")),
    ):
        warnings.simplefilter("ignore")
        yield
