"""Reads pickles without running them.

A pickle is a program for a small stack machine, which may call any function.  The reader supports
only the instructions needed for lists and mappings of arrays and bytes, and only the names that a
file format expects.  It never imports these names: a call creates a record of the function and its
arguments.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

Name: TypeAlias = tuple[str, str]
"""(module, name)."""


@dataclass(slots=True, eq=False)
class BuiltObject:
    """The record of an object that the pickle would have created by calling `kind`."""

    kind: Name
    arguments: tuple[Any, ...]
    state: Any = None
    array: Any = None


@dataclass(frozen=True, slots=True)
class PersistentReference:
    """The record of a reference to data outside the pickle."""

    reference: tuple[Any, ...]


_MARK = object()
_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    **dict.fromkeys(
        (
            *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
            *("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINSTRING", "BINSTRING"),
        ),
        lambda argument: argument,
    ),
}
_BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8", "SHORT_BINSTRING", "BINSTRING")
"""Python 2 wrote bytes as strings, which are constants unless a format expects bytes."""
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GET, _PUT = ("BINGET", "LONG_BINGET"), ("BINPUT", "LONG_BINPUT")


def read_pickle(
    stream: BinaryIO,
    names: Collection[Name],
    *,
    calls: Collection[Name],
    mappings: Collection[Name] = (),
    on_build: Callable[[BuiltObject], None] = lambda _: None,
    on_bytes: Callable[[int], Any] | None = None,
) -> Any:
    """Returns the object that the pickle in `stream` describes.

    A `BuiltObject` stands for the result of each call.  Only `names` may be imported, and only
    `calls` may be called; a call of one of `mappings` creates a dict.  `on_build` receives each
    `BuiltObject` that has got a state; the stream is then at the end of the instruction.
    `on_bytes` receives the length of each bytes object, which ends where the stream then is, and
    returns what stands for it; None refuses bytes.
    Raises ValueError for any other instruction or name, and the exceptions of Python, such as
    IndexError, for a malformed pickle.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for code, argument, _ in pickletools.genops(stream):
        name = code.name
        if name in ("PROTO", "FRAME"):
            continue
        if on_bytes is not None and name in _BYTES:
            stack.append(on_bytes(len(argument)))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name](argument))
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "TUPLE":
            stack.append(tuple(_pop_to_mark(stack)))
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _PUT:
            memo[argument] = stack[-1]
        elif name in _GET:
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_allowed_name(tuple(argument.split(" ", 1)), names))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_allowed_name(tuple(stack[-2:]), names)]
        elif name == "BINPERSID":
            stack[-1] = PersistentReference(stack[-1])
        elif name in ("NEWOBJ", "REDUCE"):
            stack[-2:] = [_call(stack[-2], stack[-1], calls, mappings)]
        elif name == "SETITEM":
            stack[-3][_key(stack[-2])] = stack[-1]
            del stack[-2:]
        elif name == "SETITEMS":
            items = _pop_to_mark(stack)
            stack[-1].update(zip(map(_key, items[::2]), items[1::2], strict=True))
        elif name == "BUILD":
            _build(stack[-2], stack.pop(), on_build)
        elif name == "APPEND":
            stack[-2].append(stack.pop())
        elif name == "APPENDS":
            members = _pop_to_mark(stack)
            stack[-1].extend(members)
        elif name == "STOP":
            (result,) = stack
            return result
        else:
            raise ValueError(f"the pickle has {name}, which it should not need")
    raise ValueError("it does not end")  # genops ends with STOP, or raises its own error


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    mark = next((index for index in reversed(range(len(stack))) if stack[index] is _MARK), None)
    if mark is None:
        raise ValueError("the pickle has no mark where one is needed")
    members = stack[mark + 1 :]
    del stack[mark:]
    return members


def _key(value: Any) -> str | int:
    """Returns the key of a dictionary.  Tuples are refused: to hash nested ones may take years."""
    if not isinstance(value, (str, int)):
        raise ValueError(
            f"the pickle has a {type(value).__name__} as a key, which it should not need"
        )
    return value


def _allowed_name(name: tuple[Any, ...], names: Collection[Name]) -> Any:
    if not all(isinstance(part, str) for part in name):
        raise ValueError("the pickle has a name that is no text")
    if name not in names:
        raise ValueError(f"the pickle names {'.'.join(name)}, which it should not need")
    return name


def _call(kind: Any, arguments: Any, calls: Collection[Name], mappings: Collection[Name]) -> Any:
    if isinstance(arguments, tuple) and kind in mappings and not arguments:
        return {}
    if not isinstance(arguments, tuple) or kind not in calls:
        raise ValueError("the pickle calls something that it should not need")
    return BuiltObject(kind, arguments)


def _build(item: Any, state: Any, on_build: Callable[[BuiltObject], None]) -> None:
    if isinstance(item, dict):  # attributes of a mapping, e.g. a state_dict's versions, are ignored
        return
    if not isinstance(item, BuiltObject) or item.state is not None:
        raise ValueError("the pickle builds something that it should not need")
    item.state = state
    on_build(item)
