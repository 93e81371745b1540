"""Typed reading of parsed JSON: each value is checked, and an error names its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)

PLAIN_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a model, a variant or a model file may be called: it becomes part of a path."""

_SHA256 = re.compile("[0-9a-f]{64}")


class Fields:
    """The members of one JSON object.  Every getter raises ValueError naming the member."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, Mapping):
            raise ValueError(f"{where} must be an object. Received: {type(raw).__name__}")
        self._raw = raw
        self._where = where

    def _get(self, name: str) -> Any:
        if name not in self._raw:
            raise ValueError(f"{self._where}.{name} is missing")
        return self._raw[name]

    def _wrong(self, name: str, wanted: str) -> ValueError:
        return ValueError(f"{self._where}.{name} must be {wanted}. Received: {self._raw[name]!r}")

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

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
        value = self.text(name)
        try:
            return enum(value)
        except ValueError:
            known = ", ".join(str(one.value) for one in enum)
            raise self._wrong(name, f"one of {known}") from None

    def choice_or(self, name: str, default: E) -> E:
        """`default` where the member is missing: it came after files that must stay readable."""
        return self.choice(name, type(default)) if name in self._raw else default

    def integer(self, name: str) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "an integer")
        return value

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
