"""Pickles read without being run.

A pickle is a program for a small stack machine, which may call any function.  Here the machine
knows the instructions that lists and mappings of arrays need, and the few names that a format
expects, which it never looks up: nothing is imported, and what is "called" is a record.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from facekit.errors import ModelBuildError

Name: TypeAlias = tuple[str, str]
"""module and name"""
MISFITS = (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError)
"""what comes of instructions in an order that no such pickle has"""


@dataclass(slots=True, eq=False)
class Made:
    """What the pickle would have made by calling `kind`."""

    kind: Name
    arguments: tuple[Any, ...]
    state: Any = None
    array: Any = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the pickle says of something that lies outside it."""

    reference: tuple[Any, ...]


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
        (
            *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
            *("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINSTRING", "BINSTRING"),
        ),
        lambda argument: argument,
    ),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GET, _PUT = ("BINGET", "LONG_BINGET"), ("BINPUT", "LONG_BINPUT")


def read_pickle(
    stream: BinaryIO,
    names: Collection[Name],
    *,
    calls: Collection[Name],
    mappings: Collection[Name] = (),
    built: Callable[[Made], None] = lambda _: None,
) -> Any:
    """What the pickle in `stream`, up to its end, makes; `Made` for what it calls.

    `names`: all that it may name; `calls`: those that it may call; `mappings`: those whose call
    makes a dict.  `built` is given each `Made` that gets a state, when the stream stands behind.
    Raises ModelBuildError naming another instruction or name, and one of MISFITS for other
    nonsense.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
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
            memo[len(memo)] = stack[-1]
        elif name in _PUT:
            memo[argument] = stack[-1]
        elif name in _GET:
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_known(tuple(argument.split(" ", 1)), names))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_known(tuple(stack[-2:]), names)]
        elif name == "BINPERSID":
            stack[-1] = Stored(stack[-1])
        elif name in ("NEWOBJ", "REDUCE"):
            stack[-2:] = [_made(stack[-2], stack[-1], calls, mappings)]
        elif name == "SETITEM":
            stack[-3][stack[-2]] = stack[-1]
            del stack[-2:]
        elif name == "SETITEMS":
            items = _after_mark(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "BUILD":
            _build(stack[-2], stack.pop(), built)
        elif name == "APPEND":
            stack[-2].append(stack.pop())
        elif name == "APPENDS":
            members = _after_mark(stack)
            stack[-1].extend(members)
        elif name == "STOP":
            (whole,) = stack
            return whole
        else:
            raise ModelBuildError(f"the pickle has {name}, which no arrays need.")
    raise ValueError("it does not end")  # genops ends with STOP, or with an error of its own


def _after_mark(stack: list[Any]) -> list[Any]:
    place = max(index for index, one in enumerate(stack) if one is _MARK)
    members = stack[place + 1 :]
    del stack[place:]
    return members


def _known(name: Any, names: Collection[Name]) -> Name:
    for one in names:
        if one == name:
            return one
    raise ModelBuildError(f"the pickle names {'.'.join(map(str, name))}, which no arrays need.")


def _made(kind: Any, arguments: Any, calls: Collection[Name], mappings: Collection[Name]) -> Any:
    if isinstance(arguments, tuple) and kind in mappings and not arguments:
        return {}
    if not isinstance(arguments, tuple) or kind not in calls:
        raise ModelBuildError("the pickle calls something that no arrays need.")
    return Made(kind, arguments)


def _build(made: Any, state: Any, built: Callable[[Made], None]) -> None:
    if isinstance(made, dict):  # attributes of a mapping, such as a state_dict's versions
        return
    if not isinstance(made, Made) or made.state is not None:
        raise ModelBuildError("the pickle builds something that no arrays need.")
    made.state = state
    built(made)
