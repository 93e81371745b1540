"""facekit convert: converts a model to float32, float16 and integer LiteRT files, and for NPUs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.conversion.conversion import ConvertedFile, TargetFailure
from facekit.conversion.conversion import convert as convert_model
from facekit.conversion.crops import DEFAULT_CROPS, SEED, CropSet, photo_crops
from facekit.conversion.pictures import photo_pictures
from facekit.conversion.plan import ConversionPlan, require_free_files
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.vela.target import read_target
from facekit.enums import Architecture, CropRule, RangeRule
from facekit.errors import UsageError
from facekit.model.card import Task
from facekit.model.defaults import model_or_default
from facekit.model.installation import (
    install_files,
    require_free_variants,
    require_same_weights,
)
from facekit.model.store import InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.pipeline.locate import LocateOptions
from facekit.reporter import SILENT, Reporter
from facekit.tasks.build import waiting
from facekit.tasks.float32_source import float32_source
from facekit.tasks.open_pipeline import ensure_detector

_RECIPES = {
    "float16": "weight_only_wf16_afp32",
    "int8": "static_wi8_ai8",
    "uint8": "static_wi8_ai8_iu8",
}


@dataclass(frozen=True, slots=True)
class CalibrationPhotos:
    """The photos that activation ranges are measured on."""

    source: Path | None = None
    """A folder, or a text file with one photo per line; None means the photos that ship with
    facekit."""
    count: int | None = DEFAULT_CROPS
    """Maximum number of photos, spread over the people (folders); None means all."""
    seed: int | None = None
    """Seed of the choice among the photos; None means a fixed one."""
    locate: LocateOptions = field(default_factory=LocateOptions)


@dataclass(frozen=True, slots=True)
class Conversion:
    """The files that were converted from one model."""

    model: str
    """The source model as "name:variant"."""
    model_sha256: str
    output: Path | None
    """The folder that was requested for the files; None means the store."""
    files: tuple[ConvertedFile, ...]
    failures: tuple[TargetFailure, ...] = ()
    """The targets for which Vela could not compile the model; the other files are written."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "output": self.output and str(self.output),
            "files": [file.to_dict() for file in self.files],
            "failed_targets": [failure.to_dict() for failure in self.failures],
        }


def conversion_plan(
    *,
    float32: bool = False,
    float16: bool = False,
    int8: bool = False,
    uint8: bool = False,
    vela: Sequence[str] = (),
) -> ConversionPlan:
    """Returns the files to write, by recipe; float32 if no option selects a recipe.

    `float32`, `float16`: type in which weights are stored.  `int8`: all integers.  `uint8`: the
    same, with bytes as input.  `vela`: names such as "imx93" or .toml files; the file with uint8
    input is compiled for each.  Raises UsageError for an unknown target.
    """
    read = tuple(map(read_target, vela))
    flags = {"float16": float16, "int8": int8, "uint8": uint8 or bool(read)}
    recipes = tuple(read_recipe(_RECIPES[name]) for name, given in flags.items() if given)
    return ConversionPlan(recipes, float32=float32 or not recipes, targets=read)


def convert(
    model: str | None = None,
    plan: ConversionPlan | None = None,
    *,
    output: Path | None = None,
    install: str | None = None,
    calibration: CalibrationPhotos | None = None,
    range_rule: RangeRule | None = None,
    architecture: Architecture | None = None,
    like: str | None = None,
    force: bool = False,
    accept_drift: bool = False,
    allow_cpu_fallback: bool = False,
    reporter: Reporter = SILENT,
) -> Conversion:
    """Writes the files of `plan` with their cards, and compares integer files with float32.

    `model`: registry name, a card or .tflite file, or a Keras file.  The weights of a Keras file
    are for the graph `architecture`; its input and crop are those of the registry's model `like`.
    `output`: the folder to write to.  `install`: the name under which all files except those for an
    NPU go into the store.  `calibration`: photos that activation ranges are measured on; None means
    the ranges that ship.  `range_rule`: replaces the recipe's rule from an activation's values to
    its range.  `force`: replace existing files.  `accept_drift`: keep a file that no longer
    distinguishes faces.  `allow_cpu_fallback`: accept a network that runs mostly on the CPU.
    Raises UsageError, ModelMissingError, ModelBuildError for a file that does not distinguish
    faces, InputError for photos that cannot be used for calibration, MissingExtraError, or
    StorageError.
    """
    plan = plan or conversion_plan()
    if output is None and install is None:
        raise UsageError("Say where the files shall go: -o DIR, or --install NAME for the store.")
    if plan.targets and output is None:
        raise UsageError("--vela needs -o DIR: the store holds models for this machine.")
    if install is not None:  # said now, not after minutes of work
        variants = [recipe.variant for recipe in plan.recipes]
        made = [DEFAULT_VARIANT, *variants] if plan.float32 else variants
        require_free_variants(install, made, force=force)
    with ExitStack() as stack:
        source = stack.enter_context(
            float32_source(
                model_or_default(model), architecture=architecture, like=like, reporter=reporter
            )
        )
        if output is not None:
            require_free_files(output, source.card.name, plan, force=force)
        if install is not None:
            require_same_weights(install, source.card)
        crops = calibration_crops(source, calibration or CalibrationPhotos(), reporter=reporter)
        folder = output or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="facekit-install-"))
        )
        converted = convert_model(
            source,
            plan,
            folder,
            crops=crops,
            rule=range_rule,
            force=force,
            accept_drift=accept_drift,
            allow_cpu_fallback=allow_cpu_fallback,
            reporter=reporter,
        )
        files = converted.files
        if install is not None:
            files = _installed(install, files, reporter)
    return Conversion(
        source.card.full_name, source.card.file_sha256, output, files, converted.failures
    )


def calibration_crops(
    model: InstalledModel, photos: CalibrationPhotos, *, reporter: Reporter = SILENT
) -> CropSet | None:
    """Returns the crops of a folder or list, or None without one; reports photos without a crop.

    A detector gets full photos in several sizes.  Raises InputError if too few photos have a face,
    and ImageError for a folder without photos.
    """
    if photos.source is None:
        return None
    count = sys.maxsize if photos.count is None else photos.count
    seed = SEED if photos.seed is None else photos.seed
    if model.card.task is Task.DETECTION:
        limits = photos.locate.limits
        pictures = photo_pictures(photos.source, model.card, count=count, seed=seed, limits=limits)
        return _noted(pictures, reporter)
    assert model.card.crop is not None  # an embedding card always has one
    locate = replace(photos.locate, detector=photos.locate.detector or model.card.detector)
    if model.card.crop.rule is not CropRule.NONE:
        ensure_detector(str(locate.detector), reporter=reporter)
    cropped = photo_crops(
        photos.source,
        model,
        locate,
        count=count,
        seed=seed,
        reporter=reporter,
    )
    return _noted(cropped, reporter)


def _noted(crops: CropSet, reporter: Reporter) -> CropSet:
    for failure in crops.failures:
        reporter.note(f"left out: {failure}")
    return crops


def _installed(
    name: str, files: Sequence[ConvertedFile], reporter: Reporter
) -> tuple[ConvertedFile, ...]:
    """Installs the files in the store; files compiled for an NPU stay in their folder."""
    here = [file for file in files if file.compiled is None]
    paths = install_files(name, [file.path for file in here], on_wait=waiting(name, reporter))
    reporter.note(f"installed: {', '.join(f'{name}:{file.card.variant}' for file in here)}")
    stored = iter(paths)
    return tuple(
        replace(file, path=next(stored)) if file.compiled is None else file for file in files
    )
