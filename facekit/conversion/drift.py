"""Measures how far a converted file's embeddings differ from those of its float32 original."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
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
"""The seed for the shipped faces on which drift is measured.  It differs from the seed for
activation ranges, so that the crops differ."""
DRIFT_CROPS = 48
ENOUGH_CROPS = 200
"""Minimum number of crops at which the first percentile is reliable."""
MAX_SIMILARITY_INCREASE = 0.1
"""The largest increase of the cosine similarity of the two least similar faces."""
_LISTED = 3
_SIZE_INCHES = (10, 3.7)


@dataclass(frozen=True, slots=True)
class FileFacts:
    model: str
    """The model as "name:variant"."""
    model_sha256: str
    size_bytes: int
    latency_ms: float
    """The median time for one crop at a time on this machine, in milliseconds."""

    @property
    def variant(self) -> str:
        return self.model.partition(":")[2]


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """The difference between the embeddings of a float32 file and of the quantized file.

    All similarities are cosines, -1..1, of embeddings of unit length, before the mean embedding is
    subtracted.
    """

    float32: FileFacts
    quantized: FileFacts
    threads: int
    crops_title: str
    crops_sha256: str
    cosines: NDArray[np.float64] = field(repr=False)
    """(N,) The cosine of the two files' embeddings of each crop."""
    least_alike: tuple[float, float]
    """The similarity of the float32 file's two least similar crops: (in float32, quantized)."""
    warning: str = ""
    """The defect of a quantized file that was accepted nevertheless; "" if there is no defect."""

    @property
    def crop_count(self) -> int:
        return len(self.cosines)

    @property
    def has_enough_crops(self) -> bool:
        return self.crop_count >= ENOUGH_CROPS

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
    def is_discriminative(self) -> bool:
        """Whether the file distinguishes faces.

        A badly quantized file computes similar embeddings for all crops.
        """
        return self.least_alike[1] - self.least_alike[0] <= MAX_SIMILARITY_INCREASE

    def to_dict(self) -> dict[str, Any]:
        return {
            "float32": asdict(self.float32),
            "quantized": asdict(self.quantized),
            "threads": self.threads,
            "crops": {
                "crop_count": self.crop_count,
                "enough": self.has_enough_crops,
                "title": self.crops_title,
                "list_sha256": self.crops_sha256,
            },
            "cosine": {
                "mean": self.mean,
                "first_percentile": self.first_percentile,
                "minimum": self.minimum,
            },
            "warning": self.warning or None,
            "least_alike": {
                "float32": self.least_alike[0],
                "quantized": self.least_alike[1],
                "faces_stay_different": self.is_discriminative,
            },
        }


def drift_json(report: Mapping[str, Any]) -> str:
    """Returns the text of a drift report's file."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **report}, indent=1) + "\n"


def measure_drift(
    float32: InstalledModel,
    quantized: InstalledModel,
    crops: CropSet,
    *,
    reporter: Reporter = SILENT,
) -> Drift:
    """Embeds the crops with both models and compares the embeddings.

    The models process one crop at a time, with one thread per core.

    Raises ModelMismatchError or ModelMissingError if a file cannot be loaded.
    """
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
    """Raises ModelBuildError if the file does not distinguish faces."""
    if not drift.is_discriminative:
        raise ModelBuildError(
            f"{unsoundness_message(drift)} Nothing is written; calibrate on more photos, or by "
            "another rule."
        )


def unsoundness_message(drift: Drift, layers: Sequence[LayerDrift] = ()) -> str:
    """Returns a message about a file that does not distinguish faces.

    `layers` are all layers of the file in any order; the message names those that add the largest
    errors.
    """
    before, after = drift.least_alike
    text = (
        f"{drift.quantized.variant} does not tell faces apart: two crops of similarity "
        f"{before:.3f} have {after:.3f} after quantizing."
    )
    worst = sorted(layers, key=lambda layer: -layer.added_error)[:_LISTED]
    names = ", ".join(f"{layer.key} (+{layer.added_error:.0%})" for layer in worst)
    return f"{text} Most of the error comes from {names}." if worst else text


def drift_png(drift: Drift, layers: Sequence[LayerDrift] = ()) -> bytes:
    """Returns a PNG with a histogram of the cosines, and with the errors of `layers` if not empty.

    `layers` must be sorted by descending error.  Raises MissingExtraError if matplotlib is not
    installed.
    """
    figure_module = require("matplotlib.figure", extra="plot", needed_for="--plot")
    figure = figure_module.Figure(figsize=_SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2) if layers else (figure.subplots(), None)
    left.hist(drift.cosines, bins=40, color="#2f7fd1")
    for value, name in ((drift.mean, "mean"), (drift.minimum, "minimum")):
        left.axvline(value, color="#d9792b", label=f"{name} {value:.5f}")
    left.set(
        title=f"{drift.quantized.variant} and float32, {drift.crop_count} crops",
        xlabel="cosine of the two embeddings",
        ylabel="crops",
    )
    left.legend(frameon=False)
    if right is not None:
        right.bar(range(len(layers)), [100 * layer.relative_error for layer in layers], width=1.0)
        right.set(title="error by layer", xlabel="layers, worst first", ylabel="% of the signal")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _embed(model: InstalledModel, crops: CropSet, reporter: Reporter) -> tuple[Float32Array, float]:
    """Returns (N, D) float32 embeddings of unit length, and the median time per crop in ms."""
    opened = open_net(model.path, request=AcceleratorRequest(), threads=default_threads())
    embedder = embedder_of(opened.net, model.card)
    vectors, spent_ms = [], []
    label = f"embedding with {model.card.variant}"
    for crop in reporter.steps(crops.images, length=len(crops.images), label=label):
        start = time.perf_counter()
        vectors.append(embedder.embed_uncentered(crop[np.newaxis]))
        spent_ms.append((time.perf_counter() - start) * 1e3)
    return np.concatenate(vectors), float(np.median(spent_ms))


def file_facts(model: InstalledModel, latency_ms: float) -> FileFacts:
    card = model.card
    return FileFacts(
        card.full_name,
        card.file_sha256,
        card.file_size_bytes,
        round(latency_ms, 3),
    )
