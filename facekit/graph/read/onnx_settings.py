"""The attributes and inputs of an ONNX node: each is read, or the node is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_values import Arranger, Constant, Value

_MOST = 1 << 12  # of a stride, a pad, a dilation: more than any picture's side


class Settings:
    """Of the node that gives the tensor `name`: its attributes."""

    def __init__(self, node: Any, name: str) -> None:
        self.name = name
        self._values = {one.name: one for one in node.attribute}
        self._read: set[str] = set()

    def has(self, which: str) -> bool:
        return which in self._values

    def integer(self, which: str, default: int) -> int:
        found = self._take(which)
        return default if found is None else int(found.i)

    def number(self, which: str, default: float) -> float:
        found = self._take(which)
        return default if found is None else float(found.f)

    def text(self, which: str, default: str) -> str:
        found = self._take(which)
        return default if found is None else str(found.s.decode())

    def tensor(self, which: str) -> Any:
        found = self._take(which)
        return None if found is None else found.t

    def listed(self, which: str) -> list[int] | None:
        """Integers, as many as there are."""
        found = self._take(which)
        return None if found is None else list(found.ints)

    def numbers(self, which: str) -> list[float] | None:
        found = self._take(which)
        return None if found is None else list(found.floats)

    def integers(self, which: str, default: tuple[int, ...], *, least: int) -> tuple[int, ...]:
        """As many as the default's, each of `least` to some thousands."""
        found = self._take(which)
        listed = default if found is None else tuple(found.ints)
        if len(listed) != len(default) or not least <= min(listed) <= max(listed) <= _MOST:
            raise ModelBuildError(
                f"{self.name}: {which} of {len(default)} numbers, {least} to {_MOST}, needed. "
                f"Received: {listed}."
            )
        return listed

    def two(self, which: str, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.integers(which, default, least=1)
        return rows, columns

    def require(self, which: str, value: int) -> None:
        """That it is `value` where it is there."""
        if self.integer(which, value) != value:
            raise ModelBuildError(f"{self.name}: {which} {value} needed.")

    def require_text(self, which: str, *values: str) -> None:
        """That it is one of these, the first of which is meant where it is not there."""
        found = self.text(which, values[0])
        if found not in values:
            raise ModelBuildError(
                f"{self.name}: {which} {' or '.join(values)} needed. Received: {found}."
            )

    def pass_over(self, *which: str) -> None:
        """What means nothing for a network that is run."""
        self._read.update(which)

    def require_all_read(self) -> None:
        if left := sorted(self._values.keys() - self._read):
            raise ModelBuildError(f"{self.name}: attribute {left[0]} is not known.")

    def _take(self, which: str) -> Any:
        self._read.add(which)
        return self._values.get(which)


class Arguments:
    """What a node reads, each checked to be of the kind that is asked for."""

    def __init__(
        self,
        name: str,
        values: Sequence[Value | Constant | None],
        settings: Settings,
        arranger: Arranger,
        *,
        opset: int,
        outputs: Sequence[str],
    ) -> None:
        self.name = name
        self.values = values
        self.settings = settings
        self.arranger = arranger
        self.opset = opset
        self.outputs = outputs
        """names of what it gives, the first of which is its own"""

    def data(self, place: int) -> Value:
        value = self.values[place]
        if not isinstance(value, Value):
            raise ModelBuildError(f"{self.name}: its input {place} must be computed.")
        return value

    def constant(self, place: int) -> Constant:
        value = self.values[place]
        if not isinstance(value, np.ndarray):
            raise ModelBuildError(f"{self.name}: its input {place} must be constant.")
        return value

    def has(self, place: int) -> bool:
        return place < len(self.values) and self.values[place] is not None

    def is_data(self, place: int) -> bool:
        return self.has(place) and isinstance(self.values[place], Value)

    def integers(self, place: int, which: str) -> list[int] | None:
        """An input, or in older files the attribute `which`; None where there is neither."""
        if not self.has(place):
            return self.settings.listed(which)
        values = self.constant(place)
        if values.dtype not in (np.int32, np.int64) or values.ndim > 1:
            raise ModelBuildError(
                f"{self.name}: integers needed as its input {place}. Received: {values.dtype} of "
                f"shape {values.shape}."
            )
        return [int(one) for one in values.ravel()]

    def number(self, place: int, which: str, default: float) -> float:
        """An input of one number, or in older files the attribute `which`."""
        if not self.has(place):
            return self.settings.number(which, default)
        values = self.constant(place)
        if values.size != 1:
            raise ModelBuildError(
                f"{self.name}: one number needed as its input {place}. Received: shape "
                f"{values.shape}."
            )
        return float(values.reshape(()))

    def axis(self, axis: int, rank: int) -> int:
        """Counted from 0."""
        if not -rank <= axis < rank:
            raise ModelBuildError(f"{self.name}: an axis of {rank} sides needed. Received: {axis}.")
        return axis % rank
