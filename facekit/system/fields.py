"""Reads parsed JSON with types: each value is checked, and an error names its path."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

PLAIN_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
"""Pattern of names of models and variants, which become parts of paths."""

_SHA256 = re.compile("[0-9a-f]{64}")
_STEP = re.compile(r"[^.\[\]]+")
_MOST_PROBLEMS = 20
"""Each is found by parsing anew, so that a list of wrong values would take minutes."""
_SHOWN = 80
"""Number of characters of a wrong value that an error shows."""


def blanks_to_null(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Returns the members, None instead of "" for those called `names`: a text that is unknown."""
    return {**members, **{name: members[name] or None for name in names}}


class FieldError(ValueError):
    """A member that is missing or wrong."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")
        self.place = place
        """such as "card.input.std" or "card.calibration.operating_points[0].fmr" """


class Fields:
    """The members of one JSON object.  Every getter raises FieldError, a ValueError."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, Mapping):
            raise FieldError(where, f"must be an object. Received: {_shown(raw)}")
        self._raw = raw
        self._where = where

    def built(self, make: Callable[..., T], **members: Any) -> T:
        """Calls `make` with the members; its ValueError becomes a FieldError with the object's
        path."""
        try:
            return make(**members)
        except ValueError as error:
            raise FieldError(self._where, f"is not valid: {error}") from error

    def _get(self, name: str) -> Any:
        if name not in self._raw:
            raise FieldError(self._path(name), "is missing")
        return self._raw[name]

    def _wrong(self, name: str, wanted: str) -> FieldError:
        return FieldError(
            self._path(name), f"must be {wanted}. Received: {_shown(self._raw[name])}"
        )

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        if "\0" in value:  # which no path and no argument of a program may have
            raise self._wrong(name, "a string without null characters")
        return value

    def text_or_null(self, name: str) -> str:
        """Returns the text, "" for null, which stands for an unknown text."""
        return "" if self._get(name) is None else self.text(name)

    def texts(self, name: str) -> list[str]:
        members = self._members(name, "a list of strings")
        return [members.text(index) for index in members]

    def plain_name(self, name: str) -> str:
        value = self.text(name)
        if not PLAIN_NAME.fullmatch(value):
            raise self._wrong(
                name, "of letters, digits and ._- only, beginning with a letter or digit"
            )
        return value

    def sha256(self, name: str) -> str:
        value = self.text(name)
        if not _SHA256.fullmatch(value):
            raise self._wrong(name, "a sha256 of 64 lower-case hexadecimal digits")
        return value

    def choice(self, name: str, enum: type[E]) -> E:
        value = self._get(name)
        try:
            return enum(value)
        except ValueError:
            known = ", ".join(str(one.value) for one in enum)
            raise self._wrong(name, f"one of {known}") from None

    def choice_or(self, name: str, default: E) -> E:
        """Returns `default` if the member is missing, because older files lack it."""
        return self.choice(name, type(default)) if name in self._raw else default

    def integer(self, name: str) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "an integer")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._get(name) is None else self.integer(name)

    def require_version(self, wanted: int) -> None:
        """Raises FieldError unless the member schema_version is `wanted`."""
        if self.integer("schema_version") != wanted:
            raise self._wrong("schema_version", f"{wanted}; it was written by another facekit")

    def number(self, name: str) -> float:
        value = self._get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self._wrong(name, "a number")
        try:
            number = float(value)
        except OverflowError:  # an integer beyond 1e308
            number = math.inf
        if not math.isfinite(number):
            raise self._wrong(name, "finite")
        return number

    def optional_number(self, name: str) -> float | None:
        return None if self._get(name) is None else self.number(name)

    def numbers(self, name: str) -> list[float]:
        members = self._members(name, "a list of numbers")
        return [members.number(index) for index in members]

    def optional_numbers(self, name: str) -> list[float] | None:
        return None if self._get(name) is None else self.numbers(name)

    def optional_interval(self, name: str) -> tuple[float, float] | None:
        values = self.optional_numbers(name)
        if values is None:
            return None
        if len(values) != 2 or values[0] > values[1]:
            raise self._wrong(name, "two numbers, the lower one first")
        return values[0], values[1]

    def number_pairs(self, name: str) -> list[tuple[float, float]]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list of pairs of numbers")
        members = Fields({str(index): one for index, one in enumerate(value)}, self._path(name))
        pairs = [members.numbers(str(index)) for index in range(len(value))]
        if any(len(pair) != 2 for pair in pairs):
            raise self._wrong(name, "a list of pairs of numbers")
        return [(first, second) for first, second in pairs]

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._get(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return dict(value)

    def part(self, name: str) -> Fields:
        return Fields(self._get(name), self._path(name))

    def optional_part(self, name: str) -> Fields | None:
        return None if self._get(name) is None else self.part(name)

    def parts(self, name: str) -> list[Fields]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list of objects")
        return [Fields(one, f"{self._path(name)}[{index}]") for index, one in enumerate(value)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def _members(self, name: str, wanted: str) -> Fields:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, wanted)
        return Fields({str(index): one for index, one in enumerate(value)}, self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}"


def every_problem(
    raw: object, parse: Callable[[Fields], object], where: str, example: Mapping[str, Any]
) -> list[str]:
    """Returns the first 20 problems that `parse` finds in parsed JSON, in the order of its reading.

    After each problem, the wrong member is replaced by that of `example`, an object that `parse`
    accepts and whose lists are not empty, and `parse` runs again.  A contradiction between members
    is therefore reported only if each of them is right by itself.
    """
    repaired, places = copy.deepcopy(raw), [""]
    problems = list[str]()
    while len(problems) < _MOST_PROBLEMS:
        try:
            parse(Fields(repaired, where))
        except FieldError as error:
            if not any(one.startswith(error.place) for one in places):
                problems.append(str(error))
            steps = _STEP.findall(error.place.removeprefix(where))
            if not steps or places[-1] == error.place:
                return problems
            places.append(error.place)
            _repair(repaired, steps, example)
        else:
            return problems
    return [*problems, "and perhaps more"]


def _repair(raw: Any, steps: Sequence[str], example: Any) -> None:
    """Replaces the member of `raw` by the example's, at the deepest path that both have."""
    step, *more = steps
    key: Any = int(step) if isinstance(raw, list) else step
    own = example[0] if isinstance(example, list) else example.get(step)
    inner = raw.get(step) if isinstance(raw, dict) else raw[key]
    if more and isinstance(inner, (dict, list)) and type(inner) is type(own):
        _repair(inner, more, own)
    else:
        raw[key] = copy.deepcopy(own)


def _shown(value: object) -> str:
    """Returns the value as JSON, shortened if it is long."""
    if isinstance(value, (list, Mapping)) and len(value) > _SHOWN:
        return f"{len(value)} members"
    text = json.dumps(value, default=repr)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
