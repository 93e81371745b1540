"""The inputs and options of one operator of a LiteRT file, with checks of their types."""

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
"""A computed tensor (Node) or a constant (array).  The output of SHAPE is a constant too: in it -1
stands for a dynamic dimension, and -n for n times a dynamic dimension."""
MAX_STEP = 1 << 12
"""Upper limit of a stride, a window size or a pad, larger than any image."""
_MAX_RANK = 8
# Limit on the elements of an operator's constants.  A network has tens of millions of weights.
_MAX_CONSTANT_ELEMENTS = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class OperatorArguments:
    """The inputs, options and output names of one operator.

    Methods raise ValueError if an input has another type than the requested one.
    """

    names: Sequence[str]
    """The names of the outputs."""
    values: Sequence[Value | None]
    operator: FileOperator

    @property
    def name(self) -> str:
        return self.names[0]

    def options(self, kind: str) -> Any:
        return self.operator.options(kind)

    def data(self, index: int = 0) -> Node:
        value = self.values[index]
        if not isinstance(value, Node):
            raise ValueError(f"its input {index} must be computed")
        return value

    def has(self, index: int) -> bool:
        return index < len(self.values) and self.values[index] is not None

    def constant(self, index: int) -> NDArray[Any]:
        value = self.values[index]
        if not isinstance(value, np.ndarray):
            raise ValueError(f"its input {index} must be constant")
        return value

    def constants(self) -> list[NDArray[Any]]:
        """Returns all inputs, which must be constants."""
        found = [self.constant(index) for index in range(len(self.values))]
        if sum(constant.size for constant in found) > _MAX_CONSTANT_ELEMENTS:
            raise ValueError(f"constants of more than {_MAX_CONSTANT_ELEMENTS} numbers")
        return found

    def floats(self, index: int) -> Float32Array:
        value = self.constant(index)
        if value.dtype != np.float32:
            raise ValueError(f"its input {index} must be float32, not {value.dtype}")
        return value

    def integers(self, index: int) -> list[int]:
        value = self.constant(index)
        if value.dtype.kind != "i":
            raise ValueError(f"its input {index} must be integers, not {value.dtype}")
        return [int(item) for item in value.ravel()]

    def axis(self, index: int, rank: int) -> int:
        """Returns a constant input that holds one axis, counted from 0."""
        (axis,) = self.integers(index)
        return normalize_axis(axis, rank)

    def axes(self, index: int, rank: int) -> tuple[int, ...]:
        """Returns a constant input that holds axes: ascending, distinct, counted from 0."""
        return tuple(sorted({normalize_axis(axis, rank) for axis in self.integers(index)}))


OperatorReader: TypeAlias = Callable[[OperatorArguments], "Value | Sequence[Value]"]
"""Creates the outputs of an operator, one value for each."""


def normalize_axis(axis: int, rank: int) -> int:
    """Returns an axis counted from 0; a negative `axis` counts from the last one.

    Raises ValueError if `axis` is outside the rank.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of {rank}")
    return axis % rank


def pair(rows: int, columns: int) -> tuple[int, int]:
    """Returns (rows, columns) of a stride or a window size after checking their range."""
    if not 0 < min(rows, columns) <= max(rows, columns) <= MAX_STEP:
        raise ValueError(f"{rows} rows and {columns} columns as a step or a size")
    return rows, columns


def int_vector(options: Any, field: str) -> list[int]:
    """Returns at most 8 integers of a vector in the options; [] if the field is absent."""
    length = getattr(options, f"{field}Length")()
    return [getattr(options, field)(index) for index in range(min(length, _MAX_RANK))]
