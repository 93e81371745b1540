"""ONNX's operators on constants: weights that exporters and quantizers store in another form, and
the shapes that exporters put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_file import DTYPES, tensor_values
from facekit.graph.read.onnx_settings import Arguments
from facekit.graph.read.onnx_shapes import target_shape
from facekit.graph.read.onnx_values import Constant
from facekit.types import Float32Array

_Make: TypeAlias = Callable[[Arguments], Constant]
_MOST_NUMBERS = 1 << 25
_INTEGERS = (np.int8, np.uint8, np.int32)


def _constant(given: Arguments) -> Constant:
    settings = given.settings
    tensor = settings.tensor("value")
    if tensor is not None:
        return tensor_values(tensor, given.name)
    for which, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if settings.has(which):
            number = settings.number(which, 0) if "float" in which else settings.integer(which, 0)
            return np.array(number, dtype)
    floats, integers = settings.numbers("value_floats"), settings.listed("value_ints")
    if floats is None and integers is None:
        raise ModelBuildError(f"{given.name} must hold numbers.")
    return np.array(integers, np.int64) if floats is None else np.array(floats, np.float32)


def _constant_of_shape(given: Arguments) -> Constant:
    shape = tuple(given.integers(0, "shape") or ())
    _require_small(given, shape)
    tensor = given.settings.tensor("value")
    value = np.zeros(1, np.float32) if tensor is None else tensor_values(tensor, given.name)
    return np.full(shape, value.reshape(()))


def _identity(given: Arguments) -> Constant:
    return given.constant(0)


def _cast(given: Arguments) -> Constant:
    given.settings.pass_over("saturate")
    kind = given.settings.integer("to", 0)
    if kind not in DTYPES:
        raise ModelBuildError(f"{given.name}: ONNX's data type {kind} is not known.")
    return given.constant(0).astype(DTYPES[kind].newbyteorder("="))


def _reshape(given: Arguments) -> Constant:
    values, target = given.constant(0), given.integers(1, "shape") or []
    keeps = given.settings.integer("allowzero", 0) == 0
    return values.reshape(target_shape(values.shape, target, given.name, keeps=keeps))


def _transpose(given: Arguments) -> Constant:
    return np.transpose(given.constant(0), given.settings.listed("perm"))


def _squeeze(given: Arguments) -> Constant:
    axes = given.integers(1, "axes")
    return np.squeeze(given.constant(0), None if axes is None else tuple(axes))


def _unsqueeze(given: Arguments) -> Constant:
    return np.expand_dims(given.constant(0), tuple(given.integers(1, "axes") or ()))


def _concatenate(given: Arguments) -> Constant:
    parts = [given.constant(place) for place in range(len(given.values))]
    _require_small(given, (sum(part.size for part in parts),))
    return np.concatenate(parts, given.settings.integer("axis", 0))


def _gather(given: Arguments) -> Constant:
    values, places = given.constant(0), given.constant(1)
    axis = given.axis(given.settings.integer("axis", 0), values.ndim)
    _require_small(given, (*values.shape[:axis], places.size, *values.shape[axis + 1 :]))
    return np.asarray(np.take(values, places, axis))


def _slice(given: Arguments) -> Constant:
    values = given.constant(0)
    starts, ends = given.integers(1, "starts") or [], given.integers(2, "ends") or []
    axes = given.integers(3, "axes") or list(range(len(starts)))
    steps = given.integers(4, "steps") or [1] * len(starts)
    parts = [slice(None)] * values.ndim
    for axis, *part in zip(axes, starts, ends, steps, strict=True):
        parts[given.axis(axis, values.ndim)] = slice(*part)
    return values[tuple(parts)]


def _expand(given: Arguments) -> Constant:
    values, target = given.constant(0), tuple(given.integers(1, "shape") or ())
    shape = np.broadcast_shapes(values.shape, target)
    _require_small(given, shape)
    return np.broadcast_to(values, shape)


def _shape(given: Arguments) -> Constant:
    settings, sides = given.settings, given.constant(0).shape
    part = slice(settings.integer("start", 0), settings.integer("end", len(sides)))
    return np.array(sides[part], np.int64)


def _calculated(calculate: Callable[..., Any]) -> _Make:
    def make(given: Arguments) -> Constant:
        values = [given.constant(place) for place in range(len(given.values))]
        _require_small(given, np.broadcast_shapes(*(value.shape for value in values)))
        found = np.asarray(calculate(*values))
        return found if found.dtype == bool else found.astype(values[-1].dtype)

    return make


def _divided(a: Constant, b: Constant) -> Constant:
    """Whole numbers are rounded towards zero."""
    return np.asarray(np.trunc(a / b) if np.issubdtype(a.dtype, np.integer) else a / b)


def _dequantize(given: Arguments) -> Float32Array:
    """(values - zero point) * scale; a scale for all, for each index of an axis, or a block."""
    values, scale, settings = given.constant(0), given.constant(1), given.settings
    axis, block = settings.integer("axis", 1), settings.integer("block_size", 0)
    settings.pass_over("output_dtype")
    if values.dtype not in _INTEGERS or scale.dtype != np.float32:
        raise ModelBuildError(f"{given.name}: integers and float32 scales needed.")
    steps = _spread(scale, values.shape, axis, block, given.name)
    found = values.astype(np.float32)
    if given.has(2):
        zero_point = given.constant(2)
        if zero_point.dtype != values.dtype or zero_point.shape != scale.shape:
            raise ModelBuildError(f"{given.name}: a zero point for each scale needed.")
        found -= _spread(zero_point.astype(np.float32), values.shape, axis, block, given.name)
    return np.asarray(found * steps, np.float32)


def _quantize(given: Arguments) -> Constant:
    """Rounded to integers, as QuantizeLinear does: to the even one of two that are as near."""
    values, scale, settings = given.constant(0), given.constant(1), given.settings
    axis, block = settings.integer("axis", 1), settings.integer("block_size", 0)
    settings.pass_over("saturate", "output_dtype", "precision")
    zero_point = given.constant(2) if given.has(2) else np.zeros(scale.shape, np.uint8)
    if zero_point.dtype not in _INTEGERS or zero_point.shape != scale.shape:
        raise ModelBuildError(f"{given.name}: a zero point of 8 bits for each scale needed.")
    steps, zero = (
        _spread(one, values.shape, axis, block, given.name)
        for one in (scale, zero_point.astype(np.float32))
    )
    limits = np.iinfo(zero_point.dtype)
    rounded = (np.rint(values / steps) + zero).clip(limits.min, limits.max)
    return np.asarray(rounded.astype(zero_point.dtype))


def _spread(
    numbers: Float32Array, shape: tuple[int, ...], axis: int, block: int, name: str
) -> Float32Array:
    """One for each of `shape`, as far as NumPy does not do it itself."""
    if block == 0 and numbers.ndim <= 1 and numbers.size == 1:
        return numbers.reshape(())
    if -len(shape) <= axis < len(shape):
        axis %= len(shape)
        side = shape[axis]
        if block == 0 and numbers.shape == (side,):
            return numbers.reshape(-1, *(1,) * (len(shape) - axis - 1))
        blocks = -(-side // block) if block > 0 else 0
        if numbers.shape == (*shape[:axis], blocks, *shape[axis + 1 :]):
            repeated = np.repeat(numbers, min(block, side), axis)
            return np.take(repeated, np.arange(side), axis)
    raise ModelBuildError(
        f"{name}: numbers of shape {numbers.shape} in blocks of {block} along axis {axis} are not "
        f"for a tensor of shape {shape}."
    )


def _require_small(given: Arguments, shape: Sequence[int]) -> None:
    if min(shape, default=1) < 0 or prod(shape) > _MOST_NUMBERS:
        raise ModelBuildError(
            f"{given.name}: a constant of {_MOST_NUMBERS} numbers at most needed. Received: shape "
            f"{tuple(shape)}."
        )


CONSTANTS: dict[str, _Make] = {
    "Add": _calculated(np.add),
    "Cast": _cast,
    "Ceil": _calculated(np.ceil),
    "Concat": _concatenate,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Div": _calculated(_divided),
    "Equal": _calculated(np.equal),
    "Expand": _expand,
    "Floor": _calculated(np.floor),
    "Gather": _gather,
    "Identity": _identity,
    "Mul": _calculated(np.multiply),
    "Neg": _calculated(np.negative),
    "QuantizeLinear": _quantize,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Sqrt": _calculated(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _calculated(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _calculated(np.where),
}
