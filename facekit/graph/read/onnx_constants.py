"""Evaluates ONNX operators whose inputs are all constants.

Exporters and quantizers store weights in another form, e.g. quantized, and compute shapes from
constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_arguments import OperatorArguments
from facekit.graph.read.onnx_file import DTYPES, tensor_values
from facekit.graph.read.onnx_shapes import resolve_shape
from facekit.graph.read.onnx_values import Constant
from facekit.types import Float32Array

OperatorReader: TypeAlias = Callable[[OperatorArguments], Constant]
_MAX_ELEMENTS = 1 << 25
_INTEGERS = (np.int8, np.uint8, np.int32)


def _constant(op: OperatorArguments) -> Constant:
    attributes = op.attributes
    tensor = attributes.tensor("value")
    if tensor is not None:
        return tensor_values(tensor, op.name)
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if attributes.has(name):
            value = attributes.number(name, 0) if "float" in name else attributes.integer(name, 0)
            return np.array(value, dtype)
    floats, integers = attributes.numbers("value_floats"), attributes.int_list("value_ints")
    if floats is None and integers is None:
        raise ModelBuildError(f"{op.name} must hold numbers.")
    return np.array(integers, np.int64) if floats is None else np.array(floats, np.float32)


def _constant_of_shape(op: OperatorArguments) -> Constant:
    shape = tuple(op.integers(0, "shape") or ())
    _require_small(op, shape)
    tensor = op.attributes.tensor("value")
    value = np.zeros(1, np.float32) if tensor is None else tensor_values(tensor, op.name)
    return np.full(shape, value.reshape(()))


def _identity(op: OperatorArguments) -> Constant:
    return op.constant(0)


def _cast(op: OperatorArguments) -> Constant:
    op.attributes.ignore("saturate")
    kind = op.attributes.integer("to", 0)
    if kind not in DTYPES:
        raise ModelBuildError(f"{op.name}: ONNX's data type {kind} is not known.")
    return op.constant(0).astype(DTYPES[kind].newbyteorder("="))


def _reshape(op: OperatorArguments) -> Constant:
    values, target = op.constant(0), op.integers(1, "shape") or []
    keeps = op.attributes.integer("allowzero", 0) == 0
    return values.reshape(resolve_shape(values.shape, target, op.name, keeps=keeps))


def _transpose(op: OperatorArguments) -> Constant:
    return np.transpose(op.constant(0), op.attributes.int_list("perm"))


def _squeeze(op: OperatorArguments) -> Constant:
    axes = op.integers(1, "axes")
    return np.squeeze(op.constant(0), None if axes is None else tuple(axes))


def _unsqueeze(op: OperatorArguments) -> Constant:
    return np.expand_dims(op.constant(0), tuple(op.integers(1, "axes") or ()))


def _concatenate(op: OperatorArguments) -> Constant:
    parts = [op.constant(index) for index in range(len(op.values))]
    _require_small(op, (sum(part.size for part in parts),))
    return np.concatenate(parts, op.attributes.integer("axis", 0))


def _gather(op: OperatorArguments) -> Constant:
    values, indices = op.constant(0), op.constant(1)
    axis = op.axis(op.attributes.integer("axis", 0), values.ndim)
    _require_small(op, (*values.shape[:axis], indices.size, *values.shape[axis + 1 :]))
    return np.asarray(np.take(values, indices, axis))


def _slice(op: OperatorArguments) -> Constant:
    values = op.constant(0)
    starts, ends = op.integers(1, "starts") or [], op.integers(2, "ends") or []
    axes = op.integers(3, "axes") or list(range(len(starts)))
    steps = op.integers(4, "steps") or [1] * len(starts)
    parts = [slice(None)] * values.ndim
    for axis, *part in zip(axes, starts, ends, steps, strict=True):
        parts[op.axis(axis, values.ndim)] = slice(*part)
    return values[tuple(parts)]


def _expand(op: OperatorArguments) -> Constant:
    values, target = op.constant(0), tuple(op.integers(1, "shape") or ())
    shape = np.broadcast_shapes(values.shape, target)
    _require_small(op, shape)
    return np.broadcast_to(values, shape)


def _shape(op: OperatorArguments) -> Constant:
    attributes, shape = op.attributes, op.constant(0).shape
    part = slice(attributes.integer("start", 0), attributes.integer("end", len(shape)))
    return np.array(shape[part], np.int64)


def _elementwise(function: Callable[..., Any]) -> OperatorReader:
    def read(op: OperatorArguments) -> Constant:
        values = [op.constant(index) for index in range(len(op.values))]
        _require_small(op, np.broadcast_shapes(*(value.shape for value in values)))
        result = np.asarray(function(*values))
        # The first operand of Where is bool, so the last one states the type of the result.
        return result if result.dtype == bool else result.astype(values[-1].dtype)

    return read


def _divide(a: Constant, b: Constant) -> Constant:
    """Returns a / b.  Quotients of integers are rounded towards zero."""
    return np.asarray(np.trunc(a / b) if np.issubdtype(a.dtype, np.integer) else a / b)


def _dequantize(op: OperatorArguments) -> Float32Array:
    """Computes (values - zero point) * scale.

    The scales belong to the whole tensor (a scalar), to the indices of `axis` (1-D), or to blocks
    of `block_size` indices along `axis` (an array like the values, but shorter on that axis).
    """
    values, scale, attributes = op.constant(0), op.constant(1), op.attributes
    axis, block = attributes.integer("axis", 1), attributes.integer("block_size", 0)
    attributes.ignore("output_dtype")
    if values.dtype not in _INTEGERS or scale.dtype != np.float32:
        raise ModelBuildError(f"{op.name}: integers and float32 scales needed.")
    scales = _expand_parameters(scale, values.shape, axis, block, op.name)
    result = values.astype(np.float32)
    if op.has(2):
        zero_point = op.constant(2)
        if zero_point.dtype != values.dtype or zero_point.shape != scale.shape:
            raise ModelBuildError(f"{op.name}: a zero point for each scale needed.")
        result -= _expand_parameters(
            zero_point.astype(np.float32), values.shape, axis, block, op.name
        )
    return np.asarray(result * scales, np.float32)


def _quantize(op: OperatorArguments) -> Constant:
    """Computes round(values / scale) + zero point, and clips the result to the integer type.

    Halves are rounded to the even neighbor.
    """
    values, scale, attributes = op.constant(0), op.constant(1), op.attributes
    axis, block = attributes.integer("axis", 1), attributes.integer("block_size", 0)
    attributes.ignore("saturate", "output_dtype", "precision")
    zero_point = op.constant(2) if op.has(2) else np.zeros(scale.shape, np.uint8)
    if zero_point.dtype not in _INTEGERS or zero_point.shape != scale.shape:
        raise ModelBuildError(f"{op.name}: a zero point of 8 bits for each scale needed.")
    scales, zero_points = (
        _expand_parameters(parameter, values.shape, axis, block, op.name)
        for parameter in (scale, zero_point.astype(np.float32))
    )
    limits = np.iinfo(zero_point.dtype)
    rounded = (np.rint(values / scales) + zero_points).clip(limits.min, limits.max)
    return np.asarray(rounded.astype(zero_point.dtype))


def _expand_parameters(
    parameters: Float32Array, shape: tuple[int, ...], axis: int, block: int, name: str
) -> Float32Array:
    """Returns scales or zero points in a shape that NumPy can broadcast to `shape`.

    `block` is the number of indices along `axis` that share one parameter; 0 means that there are
    no blocks.  One parameter becomes a scalar.  A vector of one parameter per index of `axis` gets
    trailing axes of size 1.  Parameters of blocks are repeated to the full `shape`.
    """
    if block == 0 and parameters.ndim <= 1 and parameters.size == 1:
        return parameters.reshape(())
    if -len(shape) <= axis < len(shape):
        axis %= len(shape)
        size = shape[axis]
        if block == 0 and parameters.shape == (size,):
            return parameters.reshape(-1, *(1,) * (len(shape) - axis - 1))
        blocks = -(-size // block) if block > 0 else 0
        if parameters.shape == (*shape[:axis], blocks, *shape[axis + 1 :]):
            repeated = np.repeat(parameters, min(block, size), axis)
            return np.take(repeated, np.arange(size), axis)
    raise ModelBuildError(
        f"{name}: values of shape {parameters.shape} in blocks of {block} on axis {axis} are not "
        f"for a tensor of shape {shape}."
    )


def _require_small(op: OperatorArguments, shape: Sequence[int]) -> None:
    if min(shape, default=1) < 0 or prod(shape) > _MAX_ELEMENTS:
        raise ModelBuildError(
            f"{op.name}: a constant of {_MAX_ELEMENTS} elements at most needed. Received: shape "
            f"{tuple(shape)}."
        )


CONSTANT_FOLDERS: dict[str, OperatorReader] = {
    "Add": _elementwise(np.add),
    "Cast": _cast,
    "Ceil": _elementwise(np.ceil),
    "Concat": _concatenate,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Div": _elementwise(_divide),
    "Equal": _elementwise(np.equal),
    "Expand": _expand,
    "Floor": _elementwise(np.floor),
    "Gather": _gather,
    "Identity": _identity,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "QuantizeLinear": _quantize,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Sqrt": _elementwise(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _elementwise(np.where),
}
