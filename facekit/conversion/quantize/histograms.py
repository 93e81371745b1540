"""Measures histograms of a network's activations on crops."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from facekit.graph.activations import list_activations
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import default_threads
from facekit.runtime.preprocess import model_input
from facekit.system.native_output import captured
from facekit.types import InputSpec, UInt8Array

_BINS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """The histogram of one activation over all crops.

    A bin contains the values whose float32 representation begins with the same 16 bits.  The width
    of a bin is therefore at most 1/128 of the values in the bin, whatever their size, and one pass
    over the crops suffices.
    """

    lower: NDArray[np.float64]
    """(B,) The lower edge of each bin that is not empty, ascending."""
    upper: NDArray[np.float64]
    """(B,) The upper edge of each bin that is not empty."""
    counts: NDArray[np.int64]
    """(B,) The number of values in each bin that is not empty, at least 1."""
    minimum: float
    maximum: float
    """The largest value; `minimum` is the smallest one."""


@dataclass(slots=True, eq=False)
class _Counter:
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    minimum: float = np.inf
    maximum: float = -np.inf

    def add(self, values: NDArray[np.float32]) -> None:
        self.counts += np.bincount(values.ravel().view(np.uint32) >> 16, minlength=_BINS)
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))


def activation_histograms(
    content: bytes,
    spec: InputSpec,
    crops: UInt8Array,
    *,
    reporter: Reporter = SILENT,
) -> dict[str, Histogram]:
    """Returns the histogram of each activation of the float32 file `content`, by activation key.

    `crops` are (N, H, W, 3) RGB uint8, N >= 1.  The measurement takes 0.1 s per crop on two cores.
    """
    interpreter = open_with_all_tensors(content)
    input_index = interpreter.get_input_details()[0]["index"]
    found = list_activations(content)
    counters = {activation.key: _Counter() for activation in found}
    for crop in reporter.steps(crops, length=len(crops), label="measuring activations"):
        interpreter.set_tensor(input_index, model_input(crop[np.newaxis], spec))
        interpreter.invoke()
        for activation in found:
            counters[activation.key].add(interpreter.get_tensor(activation.index))
    return {key: _histogram(counter) for key, counter in counters.items()}


def open_with_all_tensors(content: bytes) -> Interpreter:
    """Returns an interpreter whose tensors can all be read after a run."""
    with warnings.catch_warnings(), captured(lambda line: line.startswith(b"INFO: ")):
        warnings.simplefilter("ignore")  # the warning concerns memory, here 30 MB
        interpreter = Interpreter(
            model_content=content,
            num_threads=default_threads(),
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    return interpreter


def _histogram(counter: _Counter) -> Histogram:
    codes = np.flatnonzero(counter.counts).astype(np.uint32)
    near, far = (
        np.clip(np.asarray(bits, np.uint32).view(np.float32), counter.minimum, counter.maximum)
        for bits in (codes << 16, (codes << 16) | 0xFFFF)
    )  # "near" and "far" from zero, because the bits of a negative number count away from zero
    lower, upper = np.minimum(near, far), np.maximum(near, far)
    order = np.argsort(lower, kind="stable")
    return Histogram(
        lower=lower[order].astype(np.float64),
        upper=upper[order].astype(np.float64),
        counts=counter.counts[codes][order],
        minimum=counter.minimum,
        maximum=counter.maximum,
    )
