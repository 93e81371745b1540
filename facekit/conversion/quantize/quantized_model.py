"""Converts an installed float32 model to a quantized model with its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from facekit.conversion.crops import SEED, CropSet, Origin
from facekit.conversion.pictures import shipped_pictures
from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.quantizer import (
    PACKAGE,
    input_formula,
    quantize_file,
    tool_version,
)
from facekit.conversion.quantize.range_rules import Range, compute_ranges
from facekit.conversion.quantize.ranges import find_stored_ranges
from facekit.conversion.quantize.recipe import Recipe
from facekit.conversion.shipped_faces import DEFAULT_CROPS, shipped_crops
from facekit.enums import RangeRule
from facekit.errors import UsageError
from facekit.graph.activations import (
    begins_with_convolution,
    has_dynamic_dimension,
    list_activations,
)
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Quantization, Task, bound
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.template.calibration import Calibration

_YUNET = "yunet"
"""The only supported architecture of a detector with a single network."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model in memory."""

    card: Card
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ActivationRanges:
    """Activation ranges for static quantization, with the rule and the photos behind them."""

    rule: RangeRule
    origin: Origin
    by_key: Mapping[str, Range]


def require_float32(model: InstalledModel, *, task: Task = Task.EMBEDDING) -> None:
    """Raises UsageError if the model is not a float32 LiteRT model for this task."""
    card = model.card
    if card.task is not task:
        raise UsageError(
            f"A model for {task.value} is needed. {card.name} is for {card.task.value}."
        )
    if card.variant != DEFAULT_VARIANT or card.quantization.scheme != "none":
        raise UsageError(
            f"A {DEFAULT_VARIANT} file is needed to start from. Received: {model.path} "
            f"({card.variant}, {card.quantization.scheme})"
        )


def require_quantizable(model: InstalledModel) -> None:
    """Raises UsageError or ModelBuildError if the model cannot be quantized.

    Float32 embedding models and detectors with a single network can be quantized.  A detector's
    input is then fixed to the size in its card.
    """
    card = model.card
    if card.task is Task.DETECTION and card.architecture != _YUNET:
        raise UsageError(
            f"{card.name} is for {card.task.value} by several nets, which stay float32. An "
            "embedding model or a detector of a single net is needed."
        )
    require_float32(model, task=card.task)
    static_content(model)


def static_content(model: InstalledModel) -> bytes:
    """Returns the bytes of the model's .tflite file.

    If its input shape is dynamic, returns a file with a batch of 1 and the card's height and width.
    Raises ModelBuildError if the file cannot be read.
    """
    content = model.path.read_bytes()
    if not has_dynamic_dimension(content):
        return content
    spec = model.card.input
    size = spec.height_px, spec.width_px
    return to_litert(read_litert_graph(model.path, name=model.card.name, size=size))


def calibration_inputs(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """Returns calibration inputs for the card's model, created from the shipped faces."""
    create = shipped_pictures if card.task is Task.DETECTION else shipped_crops
    return create(card, count=count, seed=seed)


def choose_ranges(
    model: InstalledModel, crops: CropSet | None, rule: RangeRule, *, reporter: Reporter = SILENT
) -> ActivationRanges:
    """Returns activation ranges measured on `crops`.

    If `crops` is None, returns the stored ranges for these weights and this rule; if there are
    none, measures on the faces shipped with facekit.  Raises ModelBuildError if the model file
    cannot be read.
    """
    content = static_content(model)
    if crops is None:
        stored = find_stored_ranges(model.card.source.sha256)
        if stored is not None and rule in stored.by_rule:
            by_key = stored.by_rule[rule]
            if by_key.keys() == {activation.key for activation in list_activations(content)}:
                return ActivationRanges(rule, stored.origin, by_key)
        crops = calibration_inputs(model.card)

    histograms = activation_histograms(content, model.card.input, crops.images, reporter=reporter)
    return ActivationRanges(rule, crops.origin, compute_ranges(histograms, rule))


def quantize(
    model: InstalledModel, recipe: Recipe, activation_ranges: ActivationRanges | None
) -> ModelFile:
    """Quantizes the model by the recipe.  `activation_ranges` may be None if the recipe needs none.

    If facekit ships a measured calibration for exactly the resulting file, the card has this
    calibration.  Otherwise the card has no thresholds, because those of the float32 file do not
    apply, and it has the float32 file's mean embedding, which quantization changes little.  Raises
    the errors of `quantize_file`.
    """
    by_key = activation_ranges.by_key if activation_ranges is not None else {}
    float32 = static_content(model)
    if model.card.task is Task.DETECTION:
        recipe = recipe.with_integer_outputs
    content, quantized_spec = quantize_file(float32, model.card.input, recipe, by_key)
    ranges_origin = (
        {"range_rule": activation_ranges.rule.value, **asdict(activation_ranges.origin)}
        if activation_ranges
        else {}
    )
    if "photos" in ranges_origin:
        ranges_origin["photos"] = list(ranges_origin["photos"])
    sha256 = hashlib.sha256(content).hexdigest()
    card = replace(
        model.card,
        variant=recipe.variant,
        file_name=f"{model.card.name}_{recipe.variant}{MODEL_SUFFIX}",
        file_sha256=sha256,
        file_size_bytes=len(content),
        input=quantized_spec,
        quantization=Quantization(
            scheme=recipe.name,
            input_formula=input_formula(
                model.card.input, recipe, in_bias=begins_with_convolution(float32)
            ),
            calibration=ranges_origin,
        ),
        calibration=_carried_calibration(model.card, recipe.variant, sha256),
        tools={**model.card.tools, PACKAGE: tool_version()},
    )
    return ModelFile(bound(card), content)


def _carried_calibration(card: Card, variant: str, sha256: str) -> Calibration:
    shipped = shipped_calibration(card.name, variant)
    if shipped is not None and shipped.model_sha256 == sha256:
        return shipped.calibration
    if card.calibration.embedding_mean is None:
        return Calibration()
    return Calibration(
        embedding_mean=card.calibration.embedding_mean,
        source=f"mean embedding of the {DEFAULT_VARIANT} file ({card.calibration.source}); "
        "thresholds are not measured yet: facekit calibrate",
    )
