"""facekit convert: converts a model to float32, float16 and integer LiteRT files, and for NPUs."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.conversion.conversion import (
    ConversionPlan,
    ConvertedFile,
    TargetFailure,
    require_free_files,
)
from facekit.conversion.conversion import convert as convert_model
from facekit.conversion.crops import DEFAULT_CROPS, SEED, CropSet, photo_crops
from facekit.conversion.import_options import ImportOptions
from facekit.conversion.pictures import photo_pictures
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.vela.target import read_target
from facekit.enums import Architecture, CropRule, RangeRule
from facekit.errors import UsageError
from facekit.model import registry
from facekit.model.card import Task, bound
from facekit.model.defaults import model_or_default
from facekit.model.installation import (
    install_files,
    require_free_variants,
    require_same_weights,
    write_card,
)
from facekit.model.store import InstalledModel, find, is_installed, load_checked
from facekit.model.variants import DEFAULT_VARIANT, LITERT_SUFFIX, ONNX_SUFFIX
from facekit.pipeline.locate import LocateOptions
from facekit.reporter import SILENT, Reporter
from facekit.tasks.build import ensure_installed, waiting
from facekit.tasks.open_pipeline import ensure_detector

KERAS_SUFFIXES = (".keras", ".h5")
_RECIPES = {
    "float16": "weight_only_wf16_afp32",
    "int8": "static_wi8_ai8",
    "uint8": "static_wi8_ai8_iu8",
}
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


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


@contextmanager
def float32_source(
    name: str,
    *,
    architecture: Architecture | None = None,
    like: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[InstalledModel]:
    """Yields the float32 model that `name` is, or was converted from.

    `name`: a registry or stored name, a card, a .tflite or .onnx file, or a Keras file.  A file
    that is not float32 is traced to the model of its name; a float32 .onnx file is converted to
    LiteRT, in a temporary folder that exists as long as the context.  Raises UsageError,
    ModelMissingError, ModelMismatchError, and for a Keras file the errors of `import_weights`.
    """
    if name.endswith(KERAS_SUFFIXES):
        with tempfile.TemporaryDirectory(prefix="facekit-keras-") as folder:
            yield _from_keras(Path(name), Path(folder), architecture, like, reporter)
        return
    if architecture is not None or like is not None:
        raise UsageError("--architecture and --like are for Keras files; other models have a card.")
    model = ensure_installed(name, reporter=reporter)
    known = registry.entry(model.card.name) if model.card.name in registry.names() else None
    if known is not None and DEFAULT_VARIANT not in known.variants:
        raise UsageError(
            f"A model for embedding is needed, or a detector of one net. {name} is for "
            f"{model.card.task.value} by several, which are small and stay as they are."
        )
    if is_float32_litert(model):
        yield model
        return
    origin = f"{model.card.name}:{DEFAULT_VARIANT}"
    if _is_made_of(model, origin):
        reporter.note(f"{name} is {model.card.variant}: starting from {origin}")
        yield ensure_installed(origin, reporter=reporter)
    elif model.path.suffix == ONNX_SUFFIX and model.card.quantization.scheme == "none":
        with tempfile.TemporaryDirectory(prefix="facekit-onnx-") as folder:
            yield _from_onnx(model, Path(folder), reporter)
    else:
        raise UsageError(
            f"{name} is {model.card.variant}, and the float32 model that it was made from, "
            f"{origin}, is neither here nor in the registry. Pass its float32 file, or bring that "
            "into the store: facekit models import FILE --as NAME."
        )


def is_float32_litert(model: InstalledModel) -> bool:
    """True if this is a float32 LiteRT model."""
    return model.path.suffix == LITERT_SUFFIX and model.card.quantization.scheme == "none"


def _is_made_of(model: InstalledModel, origin: str) -> bool:
    """Compares the sha256 of the weights that both models were built from."""
    name, sha256 = model.card.name, model.card.source.sha256
    if name in registry.names():
        return sha256 == registry.entry(name).source.sha256
    return is_installed(origin) and find(origin).card.source.sha256 == sha256


def _from_onnx(model: InstalledModel, folder: Path, reporter: Reporter) -> InstalledModel:
    """Converts an ONNX model to LiteRT in `folder`, with its card and its calibration."""
    from facekit.conversion.import_weights import import_weights

    card = model.card
    options = ImportOptions(input=card.input, crop=card.crop, flip=card.flip, accept_untrained=True)
    made = import_weights(model.path, card.name, options, folder, reporter=reporter).model
    whole = replace(
        made.card,
        architecture=card.architecture,
        source=card.source,
        calibration=card.calibration,
        detector=card.detector,
    )
    write_card(made.path, bound(whole))
    return load_checked(made.path)


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


def _from_keras(
    path: Path,
    folder: Path,
    architecture: Architecture | None,
    like: str | None,
    reporter: Reporter,
) -> InstalledModel:
    if architecture is None:
        raise UsageError("A Keras file needs --architecture: which graph its weights are for.")
    if not path.is_file():
        raise UsageError(f"There is no Keras file {path}.")
    defaults = None if like is None else registry.entry(like).card
    from facekit.conversion.import_weights import import_weights  # HDF5

    options = ImportOptions(
        architecture=architecture,
        input=None if defaults is None else defaults.input,
        crop=None if defaults is None else defaults.crop,
        flip=None if defaults is None else defaults.flip,
        license="not stated: the weights are the user's own",
        accept_untrained=True,
    )
    name = _NOT_PLAIN.sub("-", path.name.partition(".")[0]).strip("-._") or "model"
    return import_weights(path, name, options, folder, reporter=reporter).model


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
