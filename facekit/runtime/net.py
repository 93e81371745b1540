"""What every stage needs of a network, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a net; a side of -1 may change from call to call."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    """quantisation step: real = scale * (integer - zero_point); 0 where not quantised"""
    zero_point: int = 0


class Net(Protocol):
    """A loaded network.  Not thread-safe: one for each thread or process."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """(N, ...) float32 in, every output as float32 (N, ...), N = 0 legal.

        Integer nets are fed and read through their own scale and zero point.
        Returned arrays belong to the caller.
        """
        ...
