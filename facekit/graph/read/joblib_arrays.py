"""A list of float32 arrays as joblib dumps it, read without running the pickle that it is.

A pickle is a program for a small stack machine, which may call any function.  Here the machine
knows the few instructions that such a list needs, and three names, which it never looks up:
nothing is imported or called.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = ("numpy", "dtype")
_NDARRAY = ("numpy", "ndarray")
_GLOBALS = (_WRAPPER, _DTYPE, _NDARRAY)
_LITTLE_ENDIAN_FLOAT32 = ("f4", "<")


@dataclass(slots=True)
class _Made:
    """What the pickle would have made by calling one of the names."""

    kind: tuple[str, str]
    arguments: tuple[Any, ...]
    state: Any = None
    array: Float32Array | None = None


_MARK = object()
_PUSHED: dict[str, Callable[[Any], Any]] = {
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "SHORT_BINUNICODE", "BINUNICODE"),
        lambda argument: argument,
    ),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_arrays(content: bytes, *, origin: str) -> list[Float32Array]:
    """The arrays in order.

    Raises ModelBuildError naming `origin` and the instruction or name that such a list never
    needs, or for a list that is cut off.
    """
    try:
        return _run(content)
    except ModelBuildError as error:
        raise ModelBuildError(f"{origin}: {error}") from error
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ModelBuildError(f"{origin} is not a list of arrays by joblib: {error}.") from error


def _run(content: bytes) -> list[Float32Array]:
    stream = io.BytesIO(content)
    stack: list[Any] = []
    memo: list[Any] = []
    argument: Any
    for code, argument, _ in pickletools.genops(stream):
        name = code.name
        if name in ("PROTO", "FRAME"):
            continue
        if name in _PUSHED:
            stack.append(_PUSHED[name](argument))
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "TUPLE":
            stack.append(tuple(_after_mark(stack)))
        elif name == "MEMOIZE":
            memo.append(stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_global(*stack[-2:])]
        elif name in ("NEWOBJ", "REDUCE"):
            stack[-2:] = [_made(*stack[-2:])]
        elif name == "SETITEMS":
            items = _after_mark(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "BUILD":
            _build(stack[-2], stack.pop(), stream)
        elif name == "APPENDS":
            members = _after_mark(stack)
            stack[-1].extend(members)
        elif name == "STOP":
            return _arrays(*stack)
        else:
            raise ModelBuildError(f"the pickle has {name}, which no list of arrays needs.")
    raise ValueError("it does not end")  # genops ends with STOP, or with an error of its own


def _after_mark(stack: list[Any]) -> list[Any]:
    place = max(index for index, one in enumerate(stack) if one is _MARK)
    members = stack[place + 1 :]
    del stack[place:]
    return members


def _global(module: Any, name: Any) -> tuple[str, str]:
    if (module, name) not in _GLOBALS:
        raise ModelBuildError(f"the pickle names {module}.{name}, which no list of arrays needs.")
    return module, name


def _made(kind: Any, arguments: Any) -> _Made:
    if kind not in (_WRAPPER, _DTYPE) or not isinstance(arguments, tuple):
        raise ModelBuildError("the pickle calls something else than a wrapper or a dtype.")
    return _Made(kind, arguments)


def _build(made: Any, state: Any, stream: io.BytesIO) -> None:
    """The state of a dtype; or of a wrapper, behind whose BUILD the array's bytes stand."""
    if not isinstance(made, _Made) or made.state is not None:
        raise ModelBuildError("the pickle builds something else than a wrapper or a dtype.")
    made.state = state
    if made.kind == _WRAPPER:
        made.array = _array(state, stream)


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


def _arrays(members: Any) -> list[Float32Array]:
    arrays = [member.array for member in members]
    if any(array is None for array in arrays):
        raise ValueError("a member that is no array")
    return arrays
