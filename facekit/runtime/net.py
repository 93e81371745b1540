"""What every stage needs of a network, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelMismatchError

DYNAMIC = -1
"""what a shape has for a side that may change from call to call"""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a net; a side of -1 may change from call to call."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    """quantization step: real = scale * (integer - zero_point); 0 where not quantized"""
    zero_point: int = 0


class Net(Protocol):
    """A loaded network.  Many threads may run one."""

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


def only_input(inputs: Sequence[TensorSpec], path: Path) -> TensorSpec:
    """Raises ModelMismatchError for a file with several inputs, or a batch neither 1 nor open."""
    if len(inputs) != 1:
        raise ModelMismatchError(f"{path} has {len(inputs)} inputs; facekit runs one.")
    if inputs[0].shape[:1] not in ((1,), (DYNAMIC,)):
        raise ModelMismatchError(
            f"{path} must have a batch of 1 or an open one. "
            f"Received: input of shape {inputs[0].shape}"
        )
    return inputs[0]


def require_batch(batch: NDArray[Any], spec: TensorSpec, *, name: str) -> None:
    """Raises ValueError for a batch of another dtype or shape than the net's input; `name` is the
    file's."""
    wanted = spec.shape[1:]
    if batch.dtype != np.float32 or not fits(batch.shape[1:], wanted):
        shape = ", ".join("any" if side == DYNAMIC else str(side) for side in wanted)
        raise ValueError(
            f"{name} needs float32 of shape (N, {shape}). Received: {batch.dtype} {batch.shape}"
        )


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want in (side, DYNAMIC) for side, want in zip(shape, wanted, strict=True)
    )


def outputs_of_nothing(outputs: Sequence[TensorSpec]) -> tuple[NDArray[Any], ...]:
    """What a batch of 0 gives."""
    return tuple(
        np.zeros((0, *(max(side, 0) for side in output.shape[1:])), np.float32)
        for output in outputs
    )
