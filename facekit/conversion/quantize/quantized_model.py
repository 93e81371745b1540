"""A float32 model to a quantized one with its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from facekit.conversion.crops import SEED, CropSet, Origin
from facekit.conversion.pictures import shipped_pictures
from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.quantizer import PACKAGE, input_formula, quantized, tool_version
from facekit.conversion.quantize.range_rules import Range, ranges
from facekit.conversion.quantize.ranges import stored_ranges
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
"""the one design of detectors of a single net"""


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model that is not on the disk yet."""

    card: Card
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ChosenRanges:
    """What static quantization needs to know, and who says so."""

    rule: RangeRule
    origin: Origin
    by_key: Mapping[str, Range]


def require_float32(model: InstalledModel, *, task: Task = Task.EMBEDDING) -> None:
    """Raises UsageError for anything but a float32 model of this task for LiteRT."""
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
    """Raises UsageError or ModelBuildError for what cannot be quantized.

    What can is an embedding model in float32, or a detector of a single net, which then sees
    pictures of the one size that its card has.
    """
    card = model.card
    if card.task is Task.DETECTION and card.architecture != _YUNET:
        raise UsageError(
            f"{card.name} is for {card.task.value} by several nets, which stay float32. An "
            "embedding model or a detector of a single net is needed."
        )
    require_float32(model, task=card.task)
    fixed_content(model)


def fixed_content(model: InstalledModel) -> bytes:
    """The file for one picture at a time, of its card's size, where it leaves that open."""
    content = model.path.read_bytes()
    if not has_dynamic_dimension(content):
        return content
    spec = model.card.input
    size = spec.height_px, spec.width_px
    return to_litert(read_litert_graph(model.path, name=model.card.name, size=size))


def pictures_of(card: Card, *, count: int = DEFAULT_CROPS, seed: int = SEED) -> CropSet:
    """What the model is fed, made of the faces that come with facekit."""
    make = shipped_pictures if card.task is Task.DETECTION else shipped_crops
    return make(card, count=count, seed=seed)


def choose_ranges(
    model: InstalledModel, crops: CropSet | None, rule: RangeRule, *, reporter: Reporter = SILENT
) -> ChosenRanges:
    """Measured on `crops`; without, those that are stored for the weights; without those,
    measured on the faces that come with facekit.
    """
    content = fixed_content(model)
    if crops is None:
        stored = stored_ranges(model.card.source.sha256)
        if stored is not None and rule in stored.by_rule:
            by_key = stored.by_rule[rule]
            if by_key.keys() == {one.key for one in list_activations(content)}:
                return ChosenRanges(rule, stored.origin, by_key)
        crops = pictures_of(model.card)

    histograms = activation_histograms(content, model.card.input, crops.crops, reporter=reporter)
    return ChosenRanges(rule, crops.origin, ranges(histograms, rule))


def quantize(model: InstalledModel, recipe: Recipe, chosen: ChosenRanges | None) -> ModelFile:
    """`chosen` may be None for a recipe that needs no ranges.

    What was measured with the float32 file does not hold for this one, but for the mean
    embedding, which is the same within what quantizing costs.  Raises as `quantized`.
    """
    by_key = chosen.by_key if chosen is not None else {}
    float32 = fixed_content(model)
    if model.card.task is Task.DETECTION:
        recipe = recipe.with_integer_outputs
    content, fed = quantized(float32, model.card.input, recipe, by_key)
    calibrated = {"range_rule": chosen.rule.value, **asdict(chosen.origin)} if chosen else {}
    if "photos" in calibrated:
        calibrated["photos"] = list(calibrated["photos"])
    sha256 = hashlib.sha256(content).hexdigest()
    card = replace(
        model.card,
        variant=recipe.variant,
        file_name=f"{model.card.name}_{recipe.variant}{MODEL_SUFFIX}",
        file_sha256=sha256,
        file_size_bytes=len(content),
        input=fed,
        quantization=Quantization(
            scheme=recipe.name,
            input_formula=input_formula(
                model.card.input, recipe, in_bias=begins_with_convolution(float32)
            ),
            calibration=calibrated,
        ),
        calibration=_measured(model.card, recipe.variant, sha256),
        tools={**model.card.tools, PACKAGE: tool_version()},
    )
    return ModelFile(bound(card), content)


def _measured(card: Card, variant: str, sha256: str) -> Calibration:
    shipped = shipped_calibration(card.name, variant)
    if shipped is not None and shipped.file_sha256 == sha256:
        return shipped.calibration
    if card.calibration.embedding_mean is None:
        return Calibration()
    return Calibration(
        embedding_mean=card.calibration.embedding_mean,
        source=f"mean embedding of the {DEFAULT_VARIANT} file ({card.calibration.source}); "
        "thresholds are not measured yet: facekit calibrate",
    )
