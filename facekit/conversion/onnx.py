"""Converts a float32 model to an ONNX file with its card, and measures the drift."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.crops import CropSet
from facekit.conversion.drift import DRIFT_CROPS, DRIFT_SEED, Drift, measure_drift, require_sound
from facekit.conversion.onnx_precision import PACKAGE, to_float16, to_int8
from facekit.conversion.quantize.quantized_model import (
    ActivationRanges,
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
SAME_EMBEDDING_COSINE = 1 - 1e-6
"""Minimum cosine at which the float32 file's thresholds apply to another file.

If each of two unit vectors is replaced by a vector that has this cosine to it, the similarity of
the two changes by at most 2 * sqrt(2e-6) = 0.0028.
"""

_SCHEMES = {
    Precision.FP32: "none",
    Precision.FP16: "onnx_wf16_af16",
    Precision.INT8: "onnx_qdq_static_wi7_au8",
}


@dataclass(frozen=True, slots=True, eq=False)
class ExportedOnnx:
    """A converted and measured file in memory."""

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
    """Converts a float32 LiteRT model to an ONNX file, and measures the drift.

    FP32 and FP16 files have the same bytes for the same model and tools.  The activation ranges of
    int8 are measured on `crops`, or if None on the faces shipped with facekit.  The drift is
    measured on `crops`, or if None on a few of the shipped faces.

    Raises UsageError if the model is not a float32 embedding model, ModelBuildError if the result
    does not distinguish faces, MissingExtraError if a needed package is not installed, and the
    errors of `choose_ranges`.
    """
    require_float32(model)
    graph = to_onnx(read_litert_graph(model.path, name=model.card.name))
    activation_ranges: ActivationRanges | None = None
    if precision is Precision.INT8:
        activation_ranges = choose_ranges(model, crops, rule or DEFAULT_RULE, reporter=reporter)
        reporter.note(
            f"activation ranges: {activation_ranges.rule.value}, {activation_ranges.origin.title}"
        )
        converted = to_int8(graph, model.card.input, activation_ranges.by_key)
    else:
        converted = to_float16(graph) if precision is Precision.FP16 else graph.model
    content = converted.SerializeToString(deterministic=True)
    card = _card(model.card, precision, content, activation_ranges)
    measured_crops = crops or shipped_crops(model.card, count=DRIFT_CROPS, seed=DRIFT_SEED)
    with tempfile.TemporaryDirectory(prefix="facekit-export-") as folder:
        path = Path(folder) / card.file_name
        write_atomically(path, content)
        drift = measure_drift(model, InstalledModel(card, path), measured_crops, reporter=reporter)
    require_sound(drift)
    calibrated_card = replace(card, calibration=carried_calibration(model.card, card, drift))
    return ExportedOnnx(ModelFile(bound(calibrated_card), content), drift)


def _card(
    source: Card, precision: Precision, content: bytes, activation_ranges: ActivationRanges | None
) -> Card:
    variant = onnx_variant(precision)
    spec = source.input
    ranges_origin = (
        {"range_rule": activation_ranges.rule.value, **asdict(activation_ranges.origin)}
        if activation_ranges
        else {}
    )
    if "photos" in ranges_origin:
        ranges_origin["photos"] = list(ranges_origin["photos"])
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
            calibration=ranges_origin,
        ),
        tools={**source.tools, **tools},
    )


def carried_calibration(source: Card, card: Card, drift: Drift) -> Calibration:
    """Returns the calibration of a converted file.

    If facekit ships a measured calibration for exactly this file, this calibration is used.
    Otherwise, if the cosine of the embeddings is at least SAME_EMBEDDING_COSINE, the float32 file's
    calibration is used.  Otherwise only the float32 file's mean embedding is used, since the
    conversion changes it little.
    """
    shipped = shipped_calibration(card.name, card.variant)
    if shipped is not None and shipped.model_sha256 == card.file_sha256:
        return shipped.calibration
    original = source.calibration
    if drift.minimum >= SAME_EMBEDDING_COSINE:
        note = (
            f"measured with the {DEFAULT_VARIANT} file, to whose embeddings this one's have a "
            f"cosine of at least {SAME_EMBEDDING_COSINE:.6f} on {drift.crop_count} crops"
        )
        return replace(original, source=f"{original.source}; {note}" if original.source else "")
    if original.embedding_mean is None:
        return Calibration()
    return Calibration(
        embedding_mean=original.embedding_mean,
        source=f"mean embedding of the {DEFAULT_VARIANT} file ({original.source}); "
        "thresholds are not measured yet: facekit calibrate",
    )
