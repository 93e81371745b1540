"""How long work tells how far it is, without knowing of any terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[Iterator[Any], int, str], Iterator[Any]]
"""Wraps a stream of known length while it is worked off, under a label."""


def silent(items: Iterator[Any], _length: int, _label: str) -> Iterator[Any]:
    return items
