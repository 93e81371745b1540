"""ONNX's operators on constants: weights that exporters and quantisers store in another form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_file import tensor_values
from facekit.graph.read.onnx_settings import Settings
from facekit.types import Float32Array


def target_shape(shape: tuple[int, ...], target: NDArray[Any], name: str) -> tuple[int, ...]:
    """What Reshape makes of `shape`: 0 keeps a side, one -1 is what the others leave.

    Raises ModelBuildError where that does not go.
    """
    wanted = [int(side) for side in target.ravel()]
    if target.dtype != np.int64 or target.ndim != 1 or wanted.count(-1) > 1:
        raise ModelBuildError(f"{name}: a shape needed. Received: {wanted}.")
    sides = [shape[place] if side == 0 else side for place, side in enumerate(wanted)]
    others = prod(side for side in sides if side != -1)
    sides = [prod(shape) // max(others, 1) if side == -1 else side for side in sides]
    if min(sides, default=1) < 0 or prod(sides) != prod(shape):
        raise ModelBuildError(f"{name}: shape {shape} cannot become {wanted}.")
    return tuple(sides)


def _constant(_: Sequence[NDArray[Any]], settings: Settings) -> NDArray[Any]:
    return tensor_values(settings.tensor("value"), settings.name)


def _identity(inputs: Sequence[NDArray[Any]], _: Settings) -> NDArray[Any]:
    (values,) = inputs
    return values


def _reshape(inputs: Sequence[NDArray[Any]], settings: Settings) -> NDArray[Any]:
    settings.require("allowzero", 0)
    values, target = inputs
    return values.reshape(target_shape(values.shape, target, settings.name))


def _dequantize(inputs: Sequence[NDArray[Any]], settings: Settings) -> Float32Array:
    """(values - zero point) * scale; a scale for all, for each index of an axis, or a block."""
    values, scale, *zero_points = inputs
    axis, block = settings.integer("axis", 1), settings.integer("block_size", 0)
    if values.dtype not in (np.int8, np.uint8, np.int32) or scale.dtype != np.float32:
        raise ModelBuildError(f"{settings.name}: integers and float32 scales needed.")
    steps = _spread(scale, values.shape, axis, block, settings.name)
    found = values.astype(np.float32)
    if zero_points:
        (zero_point,) = zero_points
        if zero_point.dtype != values.dtype or zero_point.shape != scale.shape:
            raise ModelBuildError(f"{settings.name}: a zero point for each scale needed.")
        found -= _spread(zero_point.astype(np.float32), values.shape, axis, block, settings.name)
    return np.asarray(found * steps, np.float32)


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


CONSTANT_OPERATORS: dict[str, Callable[[Sequence[NDArray[Any]], Settings], NDArray[Any]]] = {
    "Constant": _constant,
    "Identity": _identity,
    "Reshape": _reshape,
    "DequantizeLinear": _dequantize,
}
"""An input that is left out is not among the inputs"""
