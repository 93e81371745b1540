"""A list of float32 arrays as joblib dumps it, read without running the pickle that it is.

See `pickled`.  An array's bytes stand in the pickle, behind the instruction that builds the
wrapper that stands for it.
"""

from __future__ import annotations

import io
from math import prod
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.read.pickled import MISFITS, Made, read_pickle
from facekit.types import Float32Array

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = ("numpy", "dtype")
_NDARRAY = ("numpy", "ndarray")
_LITTLE_ENDIAN_FLOAT32 = ("f4", "<")


def read_arrays(content: bytes, *, origin: str) -> list[Float32Array]:
    """The arrays in order.

    Raises ModelBuildError naming `origin` and the instruction or name that such a list never
    needs, or for a list that is cut off.
    """
    stream = io.BytesIO(content)

    def built(made: Made) -> None:
        if made.kind == _WRAPPER:
            made.array = _array(made.state, stream)

    try:
        members = read_pickle(
            stream, (_WRAPPER, _DTYPE, _NDARRAY), calls=(_WRAPPER, _DTYPE), built=built
        )
        arrays = [member.array for member in members]
        if any(array is None for array in arrays):
            raise ValueError("a member that is no array")
    except ModelBuildError as error:
        raise ModelBuildError(f"{origin}: {error}") from error
    except MISFITS as error:
        raise ModelBuildError(f"{origin} is not a list of arrays by joblib: {error}.") from error
    return arrays


def _array(state: dict[str, Any], stream: io.BytesIO) -> Float32Array:
    dtype, shape = state["dtype"], state["shape"]
    kind = (dtype.arguments[0], dtype.state[1])
    if kind != _LITTLE_ENDIAN_FLOAT32 or state["order"] != "C" or state["subclass"] != _NDARRAY:
        raise ValueError(f"an array of {kind} in order {state['order']}")
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.seek(stream.read(1)[0], io.SEEK_CUR)  # how many bytes of padding follow
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    data = stream.read(4 * prod(shape))
    array: Float32Array = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32, copy=False)
    return array
