"""What an operator of a LiteRT file reads, each checked to be of the kind that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.graph.graph import Node
from facekit.graph.read.litert_file import FileOperator
from facekit.types import Float32Array

Value: TypeAlias = "Node | NDArray[Any]"
"""computed, or known before anything runs.  A shape that the file itself asks for (SHAPE) is known
too: -1 is an open side, -n is n times an open side."""
MOST_STEPS = 1 << 12
"""of a stride, a window or a pad: more than any picture's side"""
_MOST_SIDES = 8
_MOST_NUMBERS = 1 << 26  # of what constants make together; a network has some tens of millions


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Given:
    """Of one operator."""

    names: Sequence[str]
    """for what it gives"""
    values: Sequence[Value | None]
    operator: FileOperator

    @property
    def name(self) -> str:
        return self.names[0]

    def options(self, kind: str) -> Any:
        return self.operator.options(kind)

    def data(self, place: int = 0) -> Node:
        value = self.values[place]
        if not isinstance(value, Node):
            raise ValueError(f"its input {place} must be computed")
        return value

    def has(self, place: int) -> bool:
        return place < len(self.values) and self.values[place] is not None

    def constant(self, place: int) -> NDArray[Any]:
        value = self.values[place]
        if not isinstance(value, np.ndarray):
            raise ValueError(f"its input {place} must be constant")
        return value

    def constants(self) -> list[NDArray[Any]]:
        """All that it reads."""
        found = [self.constant(place) for place in range(len(self.values))]
        if sum(one.size for one in found) > _MOST_NUMBERS:
            raise ValueError(f"constants of more than {_MOST_NUMBERS} numbers")
        return found

    def floats(self, place: int) -> Float32Array:
        value = self.constant(place)
        if value.dtype != np.float32:
            raise ValueError(f"its input {place} must be float32, not {value.dtype}")
        return value

    def integers(self, place: int) -> list[int]:
        value = self.constant(place)
        if value.dtype.kind != "i":
            raise ValueError(f"its input {place} must be integers, not {value.dtype}")
        return [int(one) for one in value.ravel()]

    def axis(self, place: int, rank: int) -> int:
        """The one integer, counted from 0."""
        (number,) = self.integers(place)
        return counted(number, rank)

    def axes(self, place: int, rank: int) -> tuple[int, ...]:
        """Counted from 0, in order."""
        return tuple(sorted({counted(one, rank) for one in self.integers(place)}))


Read: TypeAlias = Callable[[Given], "Value | Sequence[Value]"]
"""makes what an operator gives; one for each of its outputs"""


def counted(number: int, rank: int) -> int:
    """A side of so many, counted from 0 where the file counts it from the last."""
    if not -rank <= number < rank:
        raise ValueError(f"side {number} of {rank}")
    return number % rank


def two(rows: int, columns: int) -> tuple[int, int]:
    """Of a step or a size."""
    if not 0 < min(rows, columns) <= max(rows, columns) <= MOST_STEPS:
        raise ValueError(f"{rows} rows and {columns} columns as a step or a size")
    return rows, columns


def listed(options: Any, which: str) -> list[int]:
    """Few numbers of the options, of which there may be none."""
    length = getattr(options, f"{which}Length")()
    return [getattr(options, which)(place) for place in range(min(length, _MOST_SIDES))]
