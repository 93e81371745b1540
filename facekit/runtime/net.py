"""The protocol of a loaded network for all runtimes, and the checks that all runtimes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelMismatchError

DYNAMIC = -1
"""The size of a dimension that may change from call to call."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a network.  DYNAMIC dimensions (-1) may change from call to call."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    """The quantization step: real = scale * (integer - zero_point).  0 means not quantized."""
    zero_point: int = 0


class Net(Protocol):
    """A loaded network with one input.  Several threads may use it at the same time."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Returns every output as float32 (N, ...) for a float32 batch (N, ...).  N may be 0.

        A quantized network's inputs and outputs are converted by their scales and zero points.  The
        caller may modify the returned arrays.
        """
        ...


def require_single_input(inputs: Sequence[TensorSpec], path: Path) -> TensorSpec:
    """Returns the only input.

    Raises ModelMismatchError if there is not exactly one input, or if the batch of the input is
    neither 1 nor dynamic.
    """
    if len(inputs) != 1:
        raise ModelMismatchError(f"{path} has {len(inputs)} inputs; facekit runs one.")
    if inputs[0].shape[:1] not in ((1,), (DYNAMIC,)):
        raise ModelMismatchError(
            f"{path} must have a batch of 1 or a dynamic one. "
            f"Received: input of shape {inputs[0].shape}"
        )
    return inputs[0]


def require_batch(batch: NDArray[Any], spec: TensorSpec, *, name: str) -> None:
    """Raises ValueError, which names the file by `name`, if the batch does not fit `spec`.

    The batch must be float32, and its shape (N, ...) must equal that of `spec` except for N and
    dynamic dimensions.
    """
    expected = spec.shape[1:]
    if batch.dtype != np.float32 or not shape_matches(batch.shape[1:], expected):
        shape = ", ".join(
            "any" if dimension == DYNAMIC else str(dimension) for dimension in expected
        )
        raise ValueError(
            f"{name} needs float32 of shape (N, {shape}). Received: {batch.dtype} {batch.shape}"
        )


def shape_matches(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(
        expected_dimension in (dimension, DYNAMIC)
        for dimension, expected_dimension in zip(shape, expected, strict=True)
    )


def empty_outputs(outputs: Sequence[TensorSpec]) -> tuple[NDArray[Any], ...]:
    """Returns the outputs for a batch of 0 items."""
    return tuple(
        np.zeros((0, *(max(dimension, 0) for dimension in output.shape[1:])), np.float32)
        for output in outputs
    )
