"""Which layers of a quantized file are furthest from the float32 file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from facekit.conversion.quantize.histograms import keeping_all_tensors
from facekit.graph.activations import Activation, list_activations
from facekit.model.store import InstalledModel
from facekit.runtime.preprocess import model_input
from facekit.types import UInt8Array

CROPS = 16
"""enough to rank layers: their errors differ by far more than crops do"""


@dataclass(frozen=True, slots=True)
class LayerDrift:
    key: str
    """the activation's; see facekit/graph/activations.py"""
    relative_error: float
    """root mean square of the difference, over that of the float32 values"""
    added_error: float
    """what this layer adds to the greatest relative error of the layers before it, at least 0"""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def rank_layers(
    float32: InstalledModel, quantized: InstalledModel, crops: UInt8Array
) -> tuple[LayerDrift, ...]:
    """By falling relative error, over the first CROPS crops (N, H, W, 3)."""
    runs = [_Run(model) for model in (float32, quantized)]
    common = [one.key for one in runs[0].found if one.key in runs[1].by_key]
    noise, signal = (dict.fromkeys(common, 0.0) for _ in range(2))
    for crop in crops[:CROPS]:
        for run in runs:
            run.feed(crop)
        for key in common:
            wanted, received = (run.values(key) for run in runs)
            noise[key] += float(((received - wanted) ** 2).sum())
            signal[key] += float((wanted**2).sum())
    ranked, worst = [], 0.0
    for key in common:
        error = float(np.sqrt(noise[key] / max(signal[key], 1e-30)))
        ranked.append(LayerDrift(key, error, max(error - worst, 0.0)))
        worst = max(worst, error)
    return tuple(sorted(ranked, key=lambda layer: -layer.relative_error))


class _Run:
    """One file, run so that its activations can be read as real numbers."""

    def __init__(self, model: InstalledModel) -> None:
        content = model.path.read_bytes()
        self.found: tuple[Activation, ...] = list_activations(content)
        self.by_key = {one.key: one for one in self.found}
        self._interpreter: Interpreter = keeping_all_tensors(content)
        self._input = self._interpreter.get_input_details()[0]
        self._spec = model.card.input
        self._scales = {
            detail["index"]: detail["quantization"]
            for detail in self._interpreter.get_tensor_details()
        }

    def feed(self, crop: UInt8Array) -> None:
        values = model_input(crop[np.newaxis], self._spec)
        scale, zero_point = self._input["quantization"]
        if scale:
            values = (np.rint(values / scale) + zero_point).astype(self._input["dtype"])
        self._interpreter.set_tensor(self._input["index"], values)
        self._interpreter.invoke()

    def values(self, key: str) -> NDArray[np.float64]:
        index = self.by_key[key].index
        values = self._interpreter.get_tensor(index).astype(np.float64)
        scale, zero_point = self._scales[index]
        return np.asarray((values - zero_point) * scale if scale else values)
