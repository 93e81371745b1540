"""A float32 model to an ONNX file of one precision, with its card, measured against float32."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.crops import CropSet
from facekit.conversion.drift import DRIFT_CROPS, DRIFT_SEED, Drift, measure_drift, require_sound
from facekit.conversion.onnx_precision import PACKAGE, half, integers
from facekit.conversion.quantize.quantized_model import (
    ChosenRanges,
    ModelFile,
    choose_ranges,
    require_float32,
)
from facekit.conversion.shipped_faces import shipped_crops
from facekit.enums import Precision, RangeRule
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.write.onnx import to_onnx
from facekit.graph.write.onnx_file import OPSET
from facekit.model.card import Card, Quantization, bound
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import InstalledModel
from facekit.model.variants import DEFAULT_VARIANT, file_name, onnx_variant
from facekit.reporter import SILENT, Reporter
from facekit.system.files import write_atomically
from facekit.template.calibration import Calibration
from facekit.version import __version__

DEFAULT_RULE = RangeRule.PERCENTILE
SAME_EMBEDDING = 1 - 1e-6
"""Least cosine at which thresholds of the float32 file hold for another.  Two vectors that are
each turned by so little have a similarity that is off by 2 * sqrt(2e-6) = 0.0028 at most."""

_SCHEMES = {
    Precision.FP32: "none",
    Precision.FP16: "onnx_wf16_af16",
    Precision.INT8: "onnx_qdq_static_wi7_au8",
}


@dataclass(frozen=True, slots=True, eq=False)
class ExportedOnnx:
    """A file that is made and measured, and not in its place yet."""

    file: ModelFile
    drift: Drift


def make_onnx(
    model: InstalledModel,
    precision: Precision,
    *,
    crops: CropSet | None = None,
    rule: RangeRule | None = None,
    reporter: Reporter = SILENT,
) -> ExportedOnnx:
    """`model`: float32, LiteRT.  Float files are the same bytes for the same file and tools.

    `crops`: what int8's ranges are measured on, None for what ships with facekit, as in
    conversion.py; the result is measured on them too, or on a few of the faces that ship.
    Raises UsageError for a model that is none of float32, ModelBuildError for a result that
    does not tell faces apart, MissingExtraError, and what making ranges raises.
    """
    require_float32(model)
    graph = to_onnx(read_litert_graph(model.path, name=model.card.name))
    chosen: ChosenRanges | None = None
    if precision is Precision.INT8:
        chosen = choose_ranges(model, crops, rule or DEFAULT_RULE, reporter=reporter)
        reporter.note(f"activation ranges: {chosen.rule.value}, {chosen.origin.title}")
        made = integers(graph, model.card.input, chosen.by_key)
    else:
        made = half(graph) if precision is Precision.FP16 else graph.model
    content = made.SerializeToString(deterministic=True)
    card = _card(model.card, precision, content, chosen)
    seen = crops or shipped_crops(model.card, count=DRIFT_CROPS, seed=DRIFT_SEED)
    with tempfile.TemporaryDirectory(prefix="facekit-export-") as folder:
        path = Path(folder) / card.file_name
        write_atomically(path, content)
        drift = measure_drift(model, InstalledModel(card, path), seen, reporter=reporter)
    require_sound(drift)
    measured = replace(card, calibration=measured_calibration(model.card, card, drift))
    return ExportedOnnx(ModelFile(bound(measured), content), drift)


def _card(source: Card, precision: Precision, content: bytes, chosen: ChosenRanges | None) -> Card:
    variant = onnx_variant(precision)
    spec = source.input
    calibrated = {"range_rule": chosen.rule.value, **asdict(chosen.origin)} if chosen else {}
    if "photos" in calibrated:
        calibrated["photos"] = list(calibrated["photos"])
    tools = {"facekit": __version__, "onnx": version("onnx"), "onnx opset": str(OPSET)}
    if precision is not Precision.FP32:
        tools[PACKAGE] = version(PACKAGE)
    return replace(
        source,
        variant=variant,
        file_name=file_name(source.name, variant),
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        quantization=Quantization(
            scheme=_SCHEMES[precision],
            input_formula=f"x = (pixel - {spec.mean:g}) / {spec.std:g}, float32; channels in "
            f"{spec.color_order.value} order, last",
            calibration=calibrated,
        ),
        tools={**source.tools, **tools},
    )


def measured_calibration(source: Card, card: Card, drift: Drift) -> Calibration:
    """What facekit measured on this very file; else float32's thresholds, where embeddings are
    the same; else its mean alone, which is the same within what the precision costs."""
    shipped = shipped_calibration(card.name, card.variant)
    if shipped is not None and shipped.file_sha256 == card.file_sha256:
        return shipped.calibration
    own = source.calibration
    if drift.minimum >= SAME_EMBEDDING:
        agreed = (
            f"measured with the {DEFAULT_VARIANT} file, to whose embeddings this one's have a "
            f"cosine of at least {SAME_EMBEDDING:.6f} on {drift.n_crops} crops"
        )
        return replace(own, source=f"{own.source}; {agreed}" if own.source else "")
    if own.embedding_mean is None:
        return Calibration()
    return Calibration(
        embedding_mean=own.embedding_mean,
        source=f"mean embedding of the {DEFAULT_VARIANT} file ({own.source}); "
        "thresholds are not measured yet: facekit calibrate",
    )
