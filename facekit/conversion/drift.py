"""How far a file's embeddings are from those of the float32 file it was made from; its picture."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.conversion.crops import CropSet
from facekit.conversion.layer_drift import LayerDrift
from facekit.errors import ModelBuildError
from facekit.model.card import embedder_of
from facekit.model.store import InstalledModel
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.litert import default_threads
from facekit.system.extras import require
from facekit.template.match import similarity_matrix
from facekit.types import Float32Array

SCHEMA_VERSION = 1
DRIFT_SEED = 1
"""of the shipped faces that drift is measured on: not those that ranges are measured on"""
DRIFT_CROPS = 48
ENOUGH_CROPS = 200
"""Fewer say little about the worst per cent."""
GREATEST_APPROACH = 0.1
"""How much nearer, in cosine, the two least alike faces may come."""
_LISTED = 3
_SIZE_INCHES = (10, 3.7)


@dataclass(frozen=True, slots=True)
class FileFacts:
    name: str
    variant: str
    sha256: str
    size_bytes: int
    latency_ms: float
    """median of one crop at a time on this machine"""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Cosines are of uncentered unit embeddings, the quantized file's to the float32 file's."""

    float32: FileFacts
    quantized: FileFacts
    threads: int
    crops_title: str
    crops_sha256: str
    cosines: NDArray[np.float64] = field(repr=False)
    """(N,) one a crop"""
    least_alike: tuple[float, float]
    """similarity of the two least alike crops: float32, and the same two quantized"""
    warning: str = ""
    """what is wrong with the quantized file where it was kept all the same"""

    @property
    def n_crops(self) -> int:
        return len(self.cosines)

    @property
    def has_enough_crops(self) -> bool:
        return self.n_crops >= ENOUGH_CROPS

    @property
    def mean(self) -> float:
        return float(self.cosines.mean())

    @property
    def first_percentile(self) -> float:
        return float(np.percentile(self.cosines, 1))

    @property
    def minimum(self) -> float:
        return float(self.cosines.min())

    @property
    def faces_stay_different(self) -> bool:
        """False for a file that answers everything alike, as badly quantized ones do."""
        return self.least_alike[1] - self.least_alike[0] <= GREATEST_APPROACH

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "float32": asdict(self.float32),
            "quantized": asdict(self.quantized),
            "threads": self.threads,
            "crops": {
                "n": self.n_crops,
                "enough": self.has_enough_crops,
                "title": self.crops_title,
                "list_sha256": self.crops_sha256,
            },
            "cosine": {
                "mean": self.mean,
                "first_percentile": self.first_percentile,
                "minimum": self.minimum,
            },
            **({"warning": self.warning} if self.warning else {}),
            "least_alike": {
                "float32": self.least_alike[0],
                "quantized": self.least_alike[1],
                "faces_stay_different": self.faces_stay_different,
            },
        }


def measure_drift(
    float32: InstalledModel,
    quantized: InstalledModel,
    crops: CropSet,
    *,
    reporter: Reporter = SILENT,
) -> Drift:
    """Runs both on the crops, one at a time, as many threads as there are cores."""
    a, a_ms = _embed(float32, crops, reporter)
    b, b_ms = _embed(quantized, crops, reporter)
    alike = similarity_matrix(a, a)
    first, second = np.unravel_index(int(alike.argmin()), alike.shape)
    return Drift(
        float32=file_facts(float32, a_ms),
        quantized=file_facts(quantized, b_ms),
        threads=default_threads(),
        crops_title=crops.origin.title,
        crops_sha256=crops.origin.list_sha256,
        cosines=(a.astype(np.float64) * b).sum(1),
        least_alike=(float(alike[first, second]), float(b[first] @ b[second])),
    )


def require_sound(drift: Drift) -> None:
    """Raises ModelBuildError for a file that finds different faces alike."""
    if not drift.faces_stay_different:
        raise ModelBuildError(
            f"{unsound(drift)} Nothing is written; calibrate on more photos, or by another rule."
        )


def unsound(drift: Drift, layers: Sequence[LayerDrift] = ()) -> str:
    """What is wrong with a file that finds different faces alike.

    `layers`: all of its layers, in any order, to say where the error comes from.
    """
    before, after = drift.least_alike
    text = (
        f"{drift.quantized.variant} does not tell faces apart: two crops of similarity "
        f"{before:.3f} have {after:.3f} after quantizing."
    )
    worst = sorted(layers, key=lambda layer: -layer.added_error)[:_LISTED]
    where = ", ".join(f"{layer.key} (+{layer.added_error:.0%})" for layer in worst)
    return f"{text} Most of the error comes from {where}." if worst else text


def drift_png(drift: Drift, layers: Sequence[LayerDrift] = ()) -> bytes:
    """Cosines of all crops and, where they were ranked, the error of every layer.

    Raises MissingExtraError without matplotlib.
    """
    figure_module = require("matplotlib.figure", extra="plot", needed_for="--plot")
    figure = figure_module.Figure(figsize=_SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2) if layers else (figure.subplots(), None)
    left.hist(drift.cosines, bins=40, color="#2f7fd1")
    for value, name in ((drift.mean, "mean"), (drift.minimum, "minimum")):
        left.axvline(value, color="#d9792b", label=f"{name} {value:.5f}")
    left.set(
        title=f"{drift.quantized.variant} and float32, {drift.n_crops} crops",
        xlabel="cosine of the two embeddings",
        ylabel="crops",
    )
    left.legend(frameon=False)
    if right is not None:
        right.bar(range(len(layers)), [100 * one.relative_error for one in layers], width=1.0)
        right.set(title="error by layer", xlabel="layers, worst first", ylabel="% of the signal")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _embed(model: InstalledModel, crops: CropSet, reporter: Reporter) -> tuple[Float32Array, float]:
    """(N, D) unit embeddings, and the median of the milliseconds that one takes."""
    opened = open_net(model.path, request=AcceleratorRequest(), threads=default_threads())
    embedder = embedder_of(opened.net, model.card)
    vectors, spent_ms = [], []
    label = f"embedding with {model.card.variant}"
    for crop in reporter.steps(crops.crops, length=len(crops.crops), label=label):
        start = time.perf_counter()
        vectors.append(embedder.embed_uncentered(crop[np.newaxis]))
        spent_ms.append((time.perf_counter() - start) * 1e3)
    return np.concatenate(vectors), float(np.median(spent_ms))


def file_facts(model: InstalledModel, latency_ms: float) -> FileFacts:
    card = model.card
    return FileFacts(
        card.name, card.variant, card.file_sha256, card.file_size_bytes, round(latency_ms, 3)
    )
