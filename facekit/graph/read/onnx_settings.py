"""The attributes of an ONNX node: each is read, or the node is refused."""

from __future__ import annotations

from typing import Any

from facekit.errors import ModelBuildError

_MOST = 1 << 12  # of a stride, a pad, a dilation: more than any picture's side


class Settings:
    """Of the node that gives the tensor `name`."""

    def __init__(self, node: Any, name: str) -> None:
        self.name = name
        self._values = {one.name: one for one in node.attribute}
        self._read: set[str] = set()

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
        if found is None:
            raise ModelBuildError(f"{self.name} must have the attribute {which}.")
        return found.t

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

    def pass_over(self, *which: str) -> None:
        """What means nothing for a network that is run."""
        self._read.update(which)

    def require_all_read(self) -> None:
        if left := sorted(self._values.keys() - self._read):
            raise ModelBuildError(f"{self.name}: attribute {left[0]} is not known.")

    def _take(self, which: str) -> Any:
        self._read.add(which)
        return self._values.get(which)
