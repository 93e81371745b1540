"""Reads a list of float32 arrays in joblib's format, without running its pickle; see `pickled`.

The bytes of an array follow the instruction in the pickle that builds the array's wrapper.
"""

from __future__ import annotations

import io
from math import prod
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.system.inputs import InputKind, reading
from facekit.system.pickled import BuiltObject, read_pickle
from facekit.types import Float32Array

_ARRAYS = InputKind("a list of arrays by joblib", ModelBuildError)
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = ("numpy", "dtype")
_NDARRAY = ("numpy", "ndarray")
_LITTLE_ENDIAN_FLOAT32 = ("f4", "<")


def read_arrays(content: bytes, *, origin: str) -> list[Float32Array]:
    """Returns the arrays in order.

    Raises ModelBuildError, naming `origin`, if the list is truncated, or if its pickle has an
    instruction or name that a list of arrays does not need.
    """
    stream = io.BytesIO(content)

    def on_build(item: BuiltObject) -> None:
        if item.kind == _WRAPPER:
            item.array = _array(item.state, stream)

    with reading(_ARRAYS, origin):
        members = read_pickle(
            stream, (_WRAPPER, _DTYPE, _NDARRAY), calls=(_WRAPPER, _DTYPE), on_build=on_build
        )
        arrays = [member.array for member in members]
        if any(array is None for array in arrays):
            raise ValueError("a member that is no array")
        return arrays


def _array(state: dict[str, Any], stream: io.BytesIO) -> Float32Array:
    dtype, shape = state["dtype"], state["shape"]
    kind = (dtype.arguments[0], dtype.state[1])
    if kind != _LITTLE_ENDIAN_FLOAT32 or state["order"] != "C" or state["subclass"] != _NDARRAY:
        raise ValueError(f"an array of {kind} in order {state['order']}")
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.seek(stream.read(1)[0], io.SEEK_CUR)  # the number of bytes of padding
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    data = stream.read(4 * prod(shape))
    array: Float32Array = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32, copy=False)
    return array
