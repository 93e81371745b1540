"""facekit export: exports a model to one file of another format, with its card."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.conversion.drift import Drift
from facekit.conversion.quantize.quantized_model import require_float32
from facekit.enums import ExportFormat, Precision, RangeRule
from facekit.errors import UsageError
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
from facekit.model.card import Card
from facekit.model.checksum import sha256_of
from facekit.model.defaults import model_or_default
from facekit.model.installation import (
    install_files,
    require_free_variants,
    require_same_weights,
)
from facekit.model.store import CARD_SUFFIX, InstalledModel, load_checked
from facekit.model.variants import (
    KERAS_SUFFIX,
    KERAS_VARIANT,
    LITERT_SUFFIX,
    ONNX_SUFFIX,
    file_name,
    onnx_variant,
)
from facekit.reporter import SILENT, Reporter
from facekit.system.fields import PLAIN_NAME
from facekit.system.files import put_files, require_free, write_atomically
from facekit.tasks.build import ensure_installed, waiting
from facekit.tasks.convert import CalibrationPhotos, calibration_crops
from facekit.tasks.float32_source import float32_source

SUFFIXES = {
    ExportFormat.ONNX: ONNX_SUFFIX,
    ExportFormat.SAVED_MODEL: "",
    ExportFormat.KERAS: KERAS_SUFFIX,
    ExportFormat.TFLITE: LITERT_SUFFIX,
    ExportFormat.FACENET_PYTORCH: ".pt",
}
WITH_CARD = (ExportFormat.ONNX, ExportFormat.TFLITE, ExportFormat.KERAS)
"""Formats that facekit itself can run; other formats get no card."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportedFile:
    """A file, or the folder of a SavedModel, that was written."""

    model: str
    """The source model as "name:variant"."""
    model_sha256: str
    output: Path | None
    """The requested path; None means the store."""
    path: Path
    card: Card | None = field(repr=False)
    """The card; None for a format that facekit itself does not run."""
    drift: Drift | None
    """Difference between the embeddings of an ONNX or Keras file and those of float32."""

    @property
    def size_bytes(self) -> int:
        """Size of the file, or of all files of the folder."""
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())

    def to_dict(self) -> dict[str, Any]:
        card = self.card
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "output": self.output and str(self.output),
            "files": [
                {
                    "path": str(self.path),
                    "sha256": sha256_of(self.path) if self.path.is_file() else None,
                    "size_bytes": self.size_bytes,
                }
            ],
            "card": card
            and {
                "variant": card.variant,
                "input_formula": card.quantization.input_formula or None,
                "operating_points": [point.target for point in card.calibration.operating_points],
                "calibration_source": card.calibration.source or None,
            },
            "drift": self.drift and self.drift.to_dict(),
        }


def export(
    model: str | None = None,
    format: ExportFormat = ExportFormat.ONNX,
    *,
    output: Path | None = None,
    install: str | None = None,
    precision: Precision | None = None,
    calibration: CalibrationPhotos | None = None,
    range_rule: RangeRule | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> ExportedFile:
    """Writes a model in another system's format, with a card if facekit can run the file.

    Nothing changes at `output` before everything is converted and measured.
    `format`: format of the file.  A .tflite file is the model's own file; a SavedModel is a folder.
    `install`: the name under which an ONNX or Keras file goes into the store.  Only for ONNX:
    `precision` None means float32; `calibration` and `range_rule` are for int8, as in `convert`.
    Raises UsageError, also for an existing file without `force`; ModelMissingError,
    ModelBuildError, InputError for photos that cannot be used for calibration, MissingExtraError,
    or StorageError.
    """
    model = model_or_default(model)
    calibration = calibration or CalibrationPhotos()
    if output is None and install is None:
        raise UsageError("Say where the file shall go: -o FILE, or --install NAME for the store.")
    if format is not ExportFormat.ONNX:
        _refuse_onnx_options(format, precision, calibration, range_rule, install)
    elif precision is not Precision.INT8 and (
        calibration.source is not None or range_rule is not None
    ):
        raise UsageError("--calibration and --range-rule are for --precision int8.")
    precision = precision or Precision.FP32
    variant = KERAS_VARIANT if format is ExportFormat.KERAS else onnx_variant(precision)
    if output is not None:  # said now, not after minutes of work
        require_writable_name(output, format, force=force)
    if install is not None:
        require_free_variants(install, [variant], force=force)
    with ExitStack() as stack:
        if format is ExportFormat.TFLITE:
            source = ensure_installed(model, reporter=reporter)
        else:  # what is made anew is made of the float32 file
            source = stack.enter_context(float32_source(model, reporter=reporter))
        if install is not None:
            require_same_weights(install, source.card)
        if output is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facekit-install-"))
            path = Path(folder) / file_name(source.card.name, variant)
        else:
            path = output
        if format is ExportFormat.ONNX:
            made = _onnx_file(source, path, precision, calibration, range_rule, reporter)
        elif format is ExportFormat.KERAS:
            made = _keras_file(source, path, reporter)
        elif format is ExportFormat.TFLITE:
            made = _copy(source, path)
        else:
            made = _file_for_others(source, format, path)
        exported = replace(made, output=output)
        if install is None:
            return exported
        (stored,) = install_files(install, [exported.path], on_wait=waiting(install, reporter))
        reporter.note(f"installed: {install}:{variant}")
        if output is not None:
            return exported
        return replace(exported, path=stored, card=load_checked(stored).card)


def require_writable_name(path: Path, export_format: ExportFormat, *, force: bool) -> None:
    """Checks names before the work begins.

    Raises UsageError for a name that a card cannot have, a suffix that is not the format's, or an
    existing file without `force`.
    """
    suffix = SUFFIXES[export_format]
    if suffix and path.suffix != suffix:
        raise UsageError(
            f"A file of format {export_format.value} ends in {suffix}. Received: {path.name!r}"
        )
    names = [path.name]
    if export_format in WITH_CARD:
        if not PLAIN_NAME.fullmatch(path.name):
            raise UsageError(
                "The name of a model file with a card has letters, digits and ._- only. Received: "
                f"{path.name!r}"
            )
        names.append(path.with_suffix(CARD_SUFFIX).name)
    require_free(*(path.with_name(name) for name in names), force=force)


def _refuse_onnx_options(
    export_format: ExportFormat,
    precision: Precision | None,
    calibration: CalibrationPhotos,
    range_rule: RangeRule | None,
    install: str | None,
) -> None:
    if (
        precision not in (None, Precision.FP32)
        or calibration.source is not None
        or range_rule is not None
    ):
        raise UsageError(
            "--precision, --calibration and --range-rule are for --format onnx; facekit convert "
            "makes float16 and integer files for LiteRT."
        )
    if install is not None and export_format is not ExportFormat.KERAS:
        raise UsageError(
            "--install is for --format onnx and keras; facekit convert --install NAME for LiteRT."
        )


def _onnx_file(
    model: InstalledModel,
    path: Path,
    precision: Precision,
    calibration: CalibrationPhotos,
    range_rule: RangeRule | None,
    reporter: Reporter,
) -> ExportedFile:
    from facekit.conversion.onnx import make_onnx  # the package onnx

    crops = calibration_crops(model, calibration, reporter=reporter)
    made = make_onnx(model, precision, crops=crops, rule=range_rule, reporter=reporter)
    return _with_card(model, path, made.file.card, made.file.content, made.drift)


def _copy(model: InstalledModel, path: Path) -> ExportedFile:
    if model.path.suffix != LITERT_SUFFIX:
        raise UsageError(
            f"{model.path} is no LiteRT file; {ExportFormat.TFLITE.value} only copies one."
        )
    return _with_card(model, path, model.card, model.path.read_bytes(), None)


def _with_card(
    source: InstalledModel, path: Path, card: Card, content: bytes, drift: Drift | None
) -> ExportedFile:
    card = replace(card, file_name=path.name)
    put_files(
        path.parent,
        {path.name: content, path.with_suffix(CARD_SUFFIX).name: card.to_json().encode()},
    )
    return _exported(source, path, card, drift)


def _keras_file(model: InstalledModel, path: Path, reporter: Reporter) -> ExportedFile:
    from facekit.training.keras_export import make_keras  # TensorFlow

    made, drift = make_keras(model, reporter=reporter)
    return _with_card(model, path, made.card, made.content, drift)


def _file_for_others(
    model: InstalledModel, export_format: ExportFormat, path: Path
) -> ExportedFile:
    require_float32(model)
    if export_format is ExportFormat.SAVED_MODEL:
        from facekit.training.keras_export import saved_model  # TensorFlow

        saved_model(model, path)
    else:
        network = read_litert_graph(model.path, name=model.card.name)
        write_atomically(path, to_facenet_pytorch(network))
    return _exported(model, path, None, None)


def _exported(
    source: InstalledModel, path: Path, card: Card | None, drift: Drift | None
) -> ExportedFile:
    return ExportedFile(source.card.full_name, source.card.file_sha256, path, path, card, drift)
