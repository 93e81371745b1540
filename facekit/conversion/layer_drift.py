"""Ranks the layers of a quantized file by their difference from the float32 file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from facekit.conversion.quantize.histograms import open_with_all_tensors
from facekit.errors import ModelBuildError
from facekit.graph.activations import Activation, list_activations
from facekit.graph.read.litert_file import LITERT
from facekit.model.store import InstalledModel
from facekit.runtime.preprocess import model_input
from facekit.system.inputs import read_input, reading
from facekit.types import UInt8Array

MAX_CROPS = 16
"""Enough crops to rank layers, because the errors of layers differ far more than those of crops."""


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """The error of one layer of a quantized file."""

    key: str
    """The activation key; see facekit/graph/activations.py."""
    relative_error: float
    """The root mean square of the difference, divided by the root mean square of the float32
    values."""
    added_error: float
    """How much this layer's relative error exceeds the largest error of all earlier layers.

    0 if the error is not larger.
    """

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def rank_layers(
    float32: InstalledModel, quantized: InstalledModel, crops: UInt8Array
) -> tuple[LayerDrift, ...]:
    """Returns the layers that both files have, by descending relative error.

    `crops` are (N, H, W, 3) uint8, RGB, in the models' input size.  The first MAX_CROPS are used.
    Raises ModelBuildError, which names the file, if it cannot be read or run, if two of its tensors
    have the same name, or if a layer has different shapes in the files.
    """
    readers = [_ActivationReader(model) for model in (float32, quantized)]
    common = [
        activation.key
        for activation in readers[0].activations
        if activation.key in readers[1].by_key
    ]
    noise, signal = (dict.fromkeys(common, 0.0) for _ in range(2))
    for crop in crops[:MAX_CROPS]:
        for reader in readers:
            reader.run(crop)
        for key in common:
            expected, received = (reader.values(key) for reader in readers)
            if received.shape != expected.shape:
                raise ModelBuildError(
                    f"{quantized.path}: {key} of shape {expected.shape} needed, as in "
                    f"{float32.path}. Received: {received.shape}."
                )
            noise[key] += float(((received - expected) ** 2).sum())
            signal[key] += float((expected**2).sum())
    ranked, worst = [], 0.0
    for key in common:
        error = float(np.sqrt(noise[key] / max(signal[key], 1e-30)))
        ranked.append(LayerDrift(key, error, max(error - worst, 0.0)))
        worst = max(worst, error)
    return tuple(sorted(ranked, key=lambda layer: -layer.relative_error))


class _ActivationReader:
    """Runs one file and returns its activations as real numbers."""

    def __init__(self, model: InstalledModel) -> None:
        self._path = model.path
        self._spec = model.card.input
        content = read_input(self._path, LITERT)
        with reading(LITERT, self._path):
            self.activations: tuple[Activation, ...] = list_activations(content)
            self.by_key = {activation.key: activation for activation in self.activations}
            self._interpreter: Interpreter = open_with_all_tensors(content)
            self._input = self._interpreter.get_input_details()[0]
            self._scales = {
                detail["index"]: detail["quantization"]
                for detail in self._interpreter.get_tensor_details()
            }

    def run(self, crop: UInt8Array) -> None:
        values = model_input(crop[np.newaxis], self._spec)
        scale, zero_point = self._input["quantization"]
        if scale:
            values = (np.rint(values / scale) + zero_point).astype(self._input["dtype"])
        with reading(LITERT, self._path):
            self._interpreter.set_tensor(self._input["index"], values)
            self._interpreter.invoke()

    def values(self, key: str) -> NDArray[np.float64]:
        index = self.by_key[key].index
        with reading(LITERT, self._path):
            values = self._interpreter.get_tensor(index).astype(np.float64)
        scale, zero_point = self._scales[index]
        return np.asarray((values - zero_point) * scale if scale else values)
