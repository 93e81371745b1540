"""Converts a float32 model to all files of a plan, and writes them together."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.conversion.crops import CropSet
from facekit.conversion.detection_drift import DetectionDrift, measure_detection_drift
from facekit.conversion.detection_drift import unsoundness_message as detection_unsound
from facekit.conversion.drift import (
    DRIFT_CROPS,
    DRIFT_SEED,
    Drift,
    drift_json,
    measure_drift,
    unsoundness_message,
)
from facekit.conversion.layer_drift import rank_layers
from facekit.conversion.plan import (
    DRIFT_SUFFIX,
    RECIPE_SUFFIX,
    UINT8,
    ConversionPlan,
    file_names,
    require_free_files,
)
from facekit.conversion.quantize.integer_forms import float_operators
from facekit.conversion.quantize.quantized_model import (
    ActivationRanges,
    calibration_inputs,
    choose_ranges,
    quantize,
    require_quantizable,
)
from facekit.conversion.vela.compile import CompiledModel, compile_model, report_dict
from facekit.enums import RangeRule
from facekit.errors import AcceleratorError, ModelBuildError, StorageError
from facekit.model.card import Card, Task, read_card
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import put_files, write_atomically

_REMEDIES = (
    "Nothing is written: calibrate on more photos or by another rule, leave these layers in "
    "float32 by a recipe of your own, or keep the file with --accept-drift."
)


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedFile:
    """One converted file."""

    path: Path
    card: Card = field(repr=False)
    drift: Drift | DetectionDrift | None
    """The difference from the float32 file; None for the float32 file and for a compiled file.

    A file compiled by Vela has the drift of the file from which it was compiled.
    """
    compiled: CompiledModel | None = None

    def to_dict(self) -> dict[str, Any]:
        compiled = self.compiled
        return {
            "path": str(self.path),
            "sha256": self.card.file_sha256,
            "size_bytes": self.card.file_size_bytes,
            "variant": self.card.variant,
            "input_formula": self.card.quantization.input_formula or None,
            "drift": self.drift and self.drift.to_dict(),
            "vela": compiled and report_dict(compiled.report, compiled.comparisons),
        }


@dataclass(frozen=True, slots=True)
class TargetFailure:
    """A target for which Vela could not compile the file with uint8 input."""

    target: str
    """The target's name."""
    error: AcceleratorError

    def to_dict(self) -> dict[str, Any]:
        return {"target": self.target, **self.error.to_dict()}


@dataclass(frozen=True, slots=True)
class Converted:
    """The files that were written, and the targets without one."""

    files: tuple[ConvertedFile, ...]
    failures: tuple[TargetFailure, ...] = ()


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
) -> Converted:
    """Writes the quantized files of a float32 model and the files compiled for the targets.

    Activation ranges are measured on `crops`, or if None on the faces shipped with facekit.  The
    drift of each result is measured on `drift_crops`.  If `drift_crops` is None, `crops` are used,
    and if both are None, a few of the shipped faces.  `rule` replaces the recipes' rule for
    activation ranges.  `force` replaces existing files, `accept_drift` keeps a result that is not
    usable, with a warning in its card and report, and `allow_cpu_fallback` accepts a network that
    Vela leaves on the CPU.

    The output folder is not changed before all files exist and are measured.  A target that the
    network does not fit is a failure in the result; the other files are written nevertheless.
    Raises UsageError if a file exists and `force` is false, ModelBuildError if a result does not
    distinguish faces or does not find them, StorageError if a file cannot be written, and the
    errors of `quantize` and, except AcceleratorError, of `compile_model`.
    """
    require_free_files(folder, model.card.name, plan, force=force)
    names = file_names(model.card.name, plan)
    with _staging() as staging_name:
        staging = Path(staging_name)
        measured_crops = drift_crops or crops
        created, failures = _create_files(
            model,
            plan,
            staging,
            crops,
            measured_crops,
            rule,
            accept_drift,
            allow_cpu_fallback,
            reporter,
        )
        failed = {f"model_{failure.target}" for failure in failures}
        for subfolder, names_in_folder in reversed(names.items()):  # source files are written last
            if subfolder in failed:
                continue
            put_files(
                folder / subfolder,
                {
                    converted: (staging / subfolder / converted).read_bytes()
                    for converted in names_in_folder
                },
            )
    files = tuple(
        ConvertedFile(
            folder / converted.path.relative_to(staging),
            converted.card,
            converted.drift,
            converted.compiled,
        )
        for converted in created
    )
    return Converted(files, tuple(failures))


def _create_files(
    model: InstalledModel,
    plan: ConversionPlan,
    staging: Path,
    crops: CropSet | None,
    drift_crops: CropSet | None,
    rule: RangeRule | None,
    accept_drift: bool,
    allow_cpu_fallback: bool,
    reporter: Reporter,
) -> tuple[list[ConvertedFile], list[TargetFailure]]:
    created, failures = [], []
    if plan.float32:
        card = _with_default_name(model.card)
        path = staging / card.file_name
        _write(path, card, model.path.read_bytes())
        created.append(ConvertedFile(path, card, None))
    if plan.recipes:
        require_quantizable(model)
        measured_crops = drift_crops or calibration_inputs(
            model.card, count=DRIFT_CROPS, seed=DRIFT_SEED
        )
    by_rule: dict[RangeRule | None, ActivationRanges | None] = {None: None}
    for recipe in plan.recipes:
        range_rule = recipe.range_rule and (rule or recipe.range_rule)
        if range_rule is not None and range_rule not in by_rule:
            activation_ranges = by_rule[range_rule] = choose_ranges(
                model, crops, range_rule, reporter=reporter
            )
            reporter.note(
                f"activation ranges: {range_rule.value}, {activation_ranges.origin.title}"
            )
        reporter.note(f"quantizing with recipe {recipe.name}")
        quantized = quantize(model, recipe, by_rule[range_rule])
        path = staging / quantized.card.file_name
        _write(path, quantized.card, quantized.content)
        file = InstalledModel(quantized.card, path)
        if remaining := float_operators(quantized.content) if recipe.needs_ranges else {}:
            listed = ", ".join(f"{count} x {name}" for name, count in remaining.items())
            reporter.note(f"{recipe.variant}: left in float32: {listed}")
        drift = _drift(model, file, measured_crops, reporter)
        if drift.warning:
            if not accept_drift:
                raise ModelBuildError(f"{drift.warning} {_REMEDIES}")
            reporter.note(f"warning: {drift.warning}")
            file = InstalledModel(_with_warning(file.card, drift.warning), path)
            _write_text(path, CARD_SUFFIX, file.card.to_json())
        _write_text(path, RECIPE_SUFFIX, recipe.to_json())
        _write_text(path, DRIFT_SUFFIX, drift_json(drift.to_dict()))
        created.append(ConvertedFile(path, file.card, drift))
    for target in plan.targets:
        reporter.note(f"compiling for {target.title}")
        source = staging / f"{model.card.name}_{UINT8}{MODEL_SUFFIX}"
        try:
            compiled = compile_model(
                source,
                target,
                staging / f"model_{target.name}",
                allow_cpu_fallback=allow_cpu_fallback,
                reporter=reporter,
            )
        except AcceleratorError as error:
            failures.append(TargetFailure(target.name, error))
        else:
            created.append(_compiled(compiled))
    return created, failures


def _drift(
    model: InstalledModel, file: InstalledModel, crops: CropSet, reporter: Reporter
) -> Drift | DetectionDrift:
    """Measures the drift of a file, and adds a warning if the file is unusable."""
    if model.card.task is Task.DETECTION:
        found = measure_detection_drift(model, file, crops, reporter=reporter)
        return found if found.is_sound else replace(found, warning=detection_unsound(found))
    drift = measure_drift(model, file, crops, reporter=reporter)
    if drift.is_discriminative:
        return drift
    return replace(
        drift, warning=unsoundness_message(drift, rank_layers(model, file, crops.images))
    )


def _with_warning(card: Card, warning: str) -> Card:
    calibration = {**card.quantization.calibration, "warning": warning}
    return replace(card, quantization=replace(card.quantization, calibration=calibration))


def _with_default_name(card: Card) -> Card:
    """Returns the card with a file name that starts with the model's name."""
    return replace(card, file_name=f"{card.name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}")


def _compiled(compiled: CompiledModel) -> ConvertedFile:
    return ConvertedFile(
        compiled.path, read_card(compiled.path.with_suffix(CARD_SUFFIX)), None, compiled
    )


def _write(path: Path, card: Card, content: bytes) -> None:
    write_atomically(path, content)
    _write_text(path, CARD_SUFFIX, card.to_json())


def _write_text(path: Path, ending: str, text: str) -> None:
    """Writes a text file beside the model, with the model's name and another suffix."""
    write_atomically(path.with_name(path.stem + ending), text.encode())


def _staging() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="facekit-convert-")
    except OSError as error:
        raise StorageError(
            f"Cannot make a temporary folder: {error}. Make room, or set TMPDIR."
        ) from error
