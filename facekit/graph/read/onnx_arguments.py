"""The attributes and inputs of an ONNX node.

A node with an attribute that no reader has requested is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.read.onnx_values import Constant, LayoutConverter, Value

_MAX_STEP = 1 << 12  # limit of strides, pads and dilations, larger than any image


class Attributes:
    """The attributes of the node whose first output is `name`."""

    def __init__(self, node: Any, name: str) -> None:
        self.name = name
        self._values = {attribute.name: attribute for attribute in node.attribute}
        self._read: set[str] = set()

    def has(self, key: str) -> bool:
        return key in self._values

    def integer(self, key: str, default: int) -> int:
        attribute = self._take(key)
        return default if attribute is None else int(attribute.i)

    def number(self, key: str, default: float) -> float:
        attribute = self._take(key)
        return default if attribute is None else float(attribute.f)

    def text(self, key: str, default: str) -> str:
        attribute = self._take(key)
        return default if attribute is None else str(attribute.s.decode())

    def tensor(self, key: str) -> Any:
        attribute = self._take(key)
        return None if attribute is None else attribute.t

    def int_list(self, key: str) -> list[int] | None:
        """Returns a list of integers of any length, or None if the attribute is absent."""
        attribute = self._take(key)
        return None if attribute is None else list(attribute.ints)

    def numbers(self, key: str) -> list[float] | None:
        attribute = self._take(key)
        return None if attribute is None else list(attribute.floats)

    def integers(self, key: str, default: tuple[int, ...], *, minimum: int) -> tuple[int, ...]:
        """Returns as many integers as `default` has, each from `minimum` to 4096.

        Raises ModelBuildError if the number of integers differs or a value is outside this range.
        """
        attribute = self._take(key)
        int_list = default if attribute is None else tuple(attribute.ints)
        if (
            len(int_list) != len(default)
            or not minimum <= min(int_list) <= max(int_list) <= _MAX_STEP
        ):
            raise ModelBuildError(
                f"{self.name}: {key} of {len(default)} numbers, {minimum} to {_MAX_STEP}, needed. "
                f"Received: {int_list}."
            )
        return int_list

    def pair(self, key: str, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """Returns (rows, columns)."""
        rows, columns = self.integers(key, default, minimum=1)
        return rows, columns

    def require(self, key: str, value: int) -> None:
        """Raises ModelBuildError if the attribute is present and differs from `value`."""
        if self.integer(key, value) != value:
            raise ModelBuildError(f"{self.name}: {key} {value} needed.")

    def require_text(self, key: str, *values: str) -> None:
        """Raises ModelBuildError if the text is not one of `values`.

        The first of `values` is the default.
        """
        attribute = self.text(key, values[0])
        if attribute not in values:
            raise ModelBuildError(
                f"{self.name}: {key} {' or '.join(values)} needed. Received: {attribute}."
            )

    def ignore(self, *key: str) -> None:
        """Accepts attributes that have no influence on inference."""
        self._read.update(key)

    def require_all_read(self) -> None:
        if unread := sorted(self._values.keys() - self._read):
            raise ModelBuildError(f"{self.name}: attribute {unread[0]} is not known.")

    def _take(self, key: str) -> Any:
        self._read.add(key)
        return self._values.get(key)


class OperatorArguments:
    """The inputs and attributes of one node.

    Methods raise ModelBuildError if an input has another type than the requested one.
    """

    def __init__(
        self,
        name: str,
        values: Sequence[Value | Constant | None],
        attributes: Attributes,
        layout: LayoutConverter,
        *,
        opset: int,
        outputs: Sequence[str],
    ) -> None:
        self.name = name
        self.values = values
        self.attributes = attributes
        self.layout = layout
        self.opset = opset
        self.outputs = outputs
        """The names of the outputs; the first one equals `name`."""

    def data(self, index: int) -> Value:
        value = self.values[index]
        if not isinstance(value, Value):
            raise ModelBuildError(f"{self.name}: its input {index} must be computed.")
        return value

    def constant(self, index: int) -> Constant:
        value = self.values[index]
        if not isinstance(value, np.ndarray):
            raise ModelBuildError(f"{self.name}: its input {index} must be constant.")
        return value

    def has(self, index: int) -> bool:
        return index < len(self.values) and self.values[index] is not None

    def is_data(self, index: int) -> bool:
        return self.has(index) and isinstance(self.values[index], Value)

    def integers(self, index: int, attribute: str) -> list[int] | None:
        """Returns the integers of an input, or of the attribute of older operator sets.

        Returns None if the node has neither.
        """
        if not self.has(index):
            return self.attributes.int_list(attribute)
        values = self.constant(index)
        if values.dtype not in (np.int32, np.int64) or values.ndim > 1:
            raise ModelBuildError(
                f"{self.name}: integers needed as its input {index}. Received: {values.dtype} of "
                f"shape {values.shape}."
            )
        return [int(value) for value in values.ravel()]

    def number(self, index: int, attribute: str, default: float) -> float:
        """Returns the element of an input, or the attribute of older operator sets.

        Returns `default` if the node has neither.
        """
        if not self.has(index):
            return self.attributes.number(attribute, default)
        values = self.constant(index)
        if values.size != 1:
            raise ModelBuildError(
                f"{self.name}: one number needed as its input {index}. Received: shape "
                f"{values.shape}."
            )
        return float(values.reshape(()))

    def axis(self, axis: int, rank: int) -> int:
        """Returns the axis counted from 0.  Raises ModelBuildError if it is outside the rank."""
        if not -rank <= axis < rank:
            raise ModelBuildError(
                f"{self.name}: an axis of {rank} dimensions needed. Received: {axis}."
            )
        return axis % rank
