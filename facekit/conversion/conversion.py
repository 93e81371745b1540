"""A float32 model to all the files that are plan of it, put in place together."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.conversion.crops import CropSet
from facekit.conversion.detection_drift import DetectionDrift, measure_detection_drift
from facekit.conversion.detection_drift import unsound as detection_unsound
from facekit.conversion.drift import DRIFT_CROPS, DRIFT_SEED, Drift, measure_drift, unsound
from facekit.conversion.layer_drift import rank_layers
from facekit.conversion.quantize.integer_forms import float_operators
from facekit.conversion.quantize.quantized_model import (
    ChosenRanges,
    choose_ranges,
    pictures_of,
    quantize,
    require_quantizable,
)
from facekit.conversion.quantize.recipe import Recipe
from facekit.conversion.vela.compile import CompiledModel, compile_model, report_dict
from facekit.conversion.vela.target import Target
from facekit.enums import RangeRule
from facekit.errors import AcceleratorError, ModelBuildError, StorageError
from facekit.model.card import Card, Task, read_card
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import put_files, require_free, write_atomically

RECIPE_SUFFIX = "_recipe.json"
DRIFT_SUFFIX = "_drift.json"
_LABELLED_UINT8 = "uint8"
_WAYS_OUT = (
    "Nothing is written: calibrate on more photos or by another rule, leave these layers in "
    "float32 by a recipe of your own, or keep the file with --accept-drift."
)
_WITHOUT_VELA = (
    "without --vela the other files are made, with --allow-cpu-fallback also what the CPU must run."
)


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedFile:
    """One file that was made."""

    path: Path
    card: Card = field(repr=False)
    drift: Drift | DetectionDrift | None
    """None for float32 itself, and for what Vela made of a file whose drift is known"""
    compiled: CompiledModel | None = None

    def to_dict(self) -> dict[str, Any]:
        compiled = self.compiled
        return {
            "path": str(self.path),
            "variant": self.card.variant,
            "sha256": self.card.file_sha256,
            "size_bytes": self.card.file_size_bytes,
            "input_formula": self.card.quantization.input_formula,
            "drift": self.drift and self.drift.to_dict(),
            "vela": compiled and report_dict(compiled.report, compiled.comparisons),
        }


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """Which files to make."""

    recipes: tuple[Recipe, ...]
    float32: bool = False
    targets: tuple[Target, ...] = ()
    """what Vela compiles the file with uint8 input for; its recipe must be among `recipes`"""


def file_names(name: str, plan: ConversionPlan) -> dict[str, tuple[str, ...]]:
    """The files that conversion writes, by folder below the output's, "" for itself."""
    stems = [f"{name}_{recipe.variant}" for recipe in plan.recipes]
    first = [f"{name}_{DEFAULT_VARIANT}"] if plan.float32 else []
    names = [f"{stem}{suffix}" for stem in first + stems for suffix in (MODEL_SUFFIX, CARD_SUFFIX)]
    names += [f"{stem}{suffix}" for stem in stems for suffix in (RECIPE_SUFFIX, DRIFT_SUFFIX)]
    return {"": tuple(names)} | {
        f"model_{target.name}": tuple(
            f"{name}_{_LABELLED_UINT8}_vela{ending}"
            for ending in (MODEL_SUFFIX, CARD_SUFFIX, f"_report{CARD_SUFFIX}")
        )
        for target in plan.targets
    }


def require_free_files(folder: Path, name: str, plan: ConversionPlan, *, force: bool) -> None:
    """Raises UsageError if one of the files exists and `force` is False."""
    names = file_names(name, plan)
    paths = (folder / below / one for below, listed in names.items() for one in listed)
    require_free(*paths, force=force)


def convert(
    model: InstalledModel,
    plan: ConversionPlan,
    folder: Path,
    *,
    crops: CropSet | None = None,
    drift_crops: CropSet | None = None,
    rule: RangeRule | None = None,
    force: bool = False,
    accept_drift: bool = False,
    allow_cpu_fallback: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[ConvertedFile, ...]:
    """Quantizes `model` (float32) by every recipe, measures each result, compiles, writes.

    `crops`: what ranges are measured on, None for what ships with facekit; `drift_crops`: what
    the results are measured on, None for the same, or for a few of the faces that ship; `rule`:
    instead of the recipe's own.

    Until all is made and measured, nothing in `folder` changes.  Raises UsageError where files
    exist, ModelBuildError for a result that does not tell faces apart, StorageError, and what
    quantizing and Vela raise.  `force` replaces files, `accept_drift` keeps such a result with a
    warning in its card and report, `allow_cpu_fallback` accepts a network that Vela leaves to the
    CPU.
    """
    require_free_files(folder, model.card.name, plan, force=force)
    names = file_names(model.card.name, plan)
    with _staging() as staging_name:
        staging = Path(staging_name)
        seen = drift_crops or crops
        made = _made(
            model, plan, staging, crops, seen, rule, accept_drift, allow_cpu_fallback, reporter
        )
        for below, listed in reversed(names.items()):  # what others are made from comes last
            put_files(folder / below, {one: (staging / below / one).read_bytes() for one in listed})
    return tuple(
        ConvertedFile(folder / one.path.relative_to(staging), one.card, one.drift, one.compiled)
        for one in made
    )


def _made(
    model: InstalledModel,
    plan: ConversionPlan,
    staging: Path,
    crops: CropSet | None,
    drift_crops: CropSet | None,
    rule: RangeRule | None,
    accept_drift: bool,
    allow_cpu_fallback: bool,
    reporter: Reporter,
) -> Sequence[ConvertedFile]:
    made = []
    if plan.float32:
        card = _renamed(model.card)
        path = staging / card.file_name
        _write(path, card, model.path.read_bytes())
        made.append(ConvertedFile(path, card, None))
    if plan.recipes:
        require_quantizable(model)
        seen = drift_crops or pictures_of(model.card, count=DRIFT_CROPS, seed=DRIFT_SEED)
    by_rule: dict[RangeRule | None, ChosenRanges | None] = {None: None}
    for recipe in plan.recipes:
        ruled = recipe.range_rule and (rule or recipe.range_rule)
        if ruled is not None and ruled not in by_rule:
            chosen = by_rule[ruled] = choose_ranges(model, crops, ruled, reporter=reporter)
            reporter.note(f"activation ranges: {ruled.value}, {chosen.origin.title}")
        reporter.note(f"quantizing by {recipe.name}")
        quantized = quantize(model, recipe, by_rule[ruled])
        path = staging / quantized.card.file_name
        _write(path, quantized.card, quantized.content)
        file = InstalledModel(quantized.card, path)
        if left := float_operators(quantized.content) if recipe.needs_ranges else {}:
            counted = ", ".join(f"{count} x {name}" for name, count in left.items())
            reporter.note(f"{recipe.variant}: left in float32: {counted}")
        drift = _drift(model, file, seen, reporter)
        if drift.warning:
            if not accept_drift:
                raise ModelBuildError(f"{drift.warning} {_WAYS_OUT}")
            reporter.note(f"warning: {drift.warning}")
            file = InstalledModel(_warned(file.card, drift.warning), path)
            _write_text(path, CARD_SUFFIX, file.card.to_json())
        _write_text(path, RECIPE_SUFFIX, recipe.to_json())
        _write_text(path, DRIFT_SUFFIX, json.dumps(drift.to_dict(), indent=1) + "\n")
        made.append(ConvertedFile(path, file.card, drift))
    for target in plan.targets:
        reporter.note(f"compiling for {target.title}")
        source = staging / f"{model.card.name}_{_LABELLED_UINT8}{MODEL_SUFFIX}"
        try:
            compiled = compile_model(
                source,
                target,
                staging / f"model_{target.name}",
                allow_cpu_fallback=allow_cpu_fallback,
                reporter=reporter,
            )
        except AcceleratorError as error:
            raise AcceleratorError(f"{error}\nNothing is written; {_WITHOUT_VELA}") from error
        made.append(_compiled(compiled))
    return made


def _drift(
    model: InstalledModel, file: InstalledModel, seen: CropSet, reporter: Reporter
) -> Drift | DetectionDrift:
    """With a warning where the file is not sound."""
    if model.card.task is Task.DETECTION:
        found = measure_detection_drift(model, file, seen, reporter=reporter)
        return found if found.is_sound else replace(found, warning=detection_unsound(found))
    drift = measure_drift(model, file, seen, reporter=reporter)
    if drift.faces_stay_different:
        return drift
    return replace(drift, warning=unsound(drift, rank_layers(model, file, seen.crops)))


def _warned(card: Card, warning: str) -> Card:
    calibration = {**card.quantization.calibration, "warning": warning}
    return replace(card, quantization=replace(card.quantization, calibration=calibration))


def _renamed(card: Card) -> Card:
    """The card for a file that is called after the model, as all output is."""
    return replace(card, file_name=f"{card.name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}")


def _compiled(compiled: CompiledModel) -> ConvertedFile:
    return ConvertedFile(
        compiled.path, read_card(compiled.path.with_suffix(CARD_SUFFIX)), None, compiled
    )


def _write(path: Path, card: Card, content: bytes) -> None:
    write_atomically(path, content)
    _write_text(path, CARD_SUFFIX, card.to_json())


def _write_text(path: Path, ending: str, text: str) -> None:
    """Beside the model, called as it is but for the ending."""
    write_atomically(path.with_name(path.stem + ending), text.encode())


def _staging() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="facekit-convert-")
    except OSError as error:
        raise StorageError(
            f"Cannot make a temporary folder: {error}. Make room, or set TMPDIR."
        ) from error
