"""A model to one file of another format, put in place with its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from facekit.convert.crops import CropSet
from facekit.convert.drift import Drift
from facekit.convert.quantize.progress import Progress, silent
from facekit.convert.quantize.quantized_model import require_float32
from facekit.enums import ExportFormat, Precision, RangeRule
from facekit.errors import UsageError
from facekit.model.card import Card
from facekit.model.store import CARD_SUFFIX, InstalledModel
from facekit.model.variants import LITERT_SUFFIX, ONNX_SUFFIX
from facekit.system.fields import PLAIN_NAME
from facekit.system.files import put_files, require_absent

SUFFIXES = {
    ExportFormat.ONNX: ONNX_SUFFIX,
    ExportFormat.SAVED_MODEL: "",
    ExportFormat.KERAS: ".keras",
    ExportFormat.TFLITE: LITERT_SUFFIX,
    ExportFormat.FACENET_PYTORCH: ".pt",
}
WITH_CARD = (ExportFormat.ONNX, ExportFormat.TFLITE)
"""what facekit itself can use again; the others are for their own systems"""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    path: Path
    card: Card | None
    """None for what facekit itself does not run"""
    drift: Drift | None
    """how far an ONNX file's embeddings are from float32's"""

    @property
    def size_bytes(self) -> int:
        """Of the file, or of all files of the folder."""
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())


def require_writable_name(path: Path, wanted: ExportFormat, *, force: bool) -> None:
    """To be asked before the work.  Raises UsageError for a name that no card can have, another
    suffix than the format's, and a file that exists where `force` does not allow replacing it.
    """
    suffix = SUFFIXES[wanted]
    if suffix and path.suffix != suffix:
        raise UsageError(
            f"A file of format {wanted.value} ends in {suffix}. Received: {path.name!r}"
        )
    names = [path.name]
    if wanted in WITH_CARD:
        if not PLAIN_NAME.fullmatch(path.name):
            raise UsageError(
                "The name of a model file with a card has letters, digits and ._- only. Received: "
                f"{path.name!r}"
            )
        names.append(path.with_suffix(CARD_SUFFIX).name)
    require_absent(path.parent, names, force=force)


def export(
    model: InstalledModel,
    wanted: ExportFormat,
    path: Path,
    *,
    precision: Precision = Precision.FP32,
    crops: CropSet | None = None,
    rule: RangeRule | None = None,
    force: bool = False,
    note: Callable[[str], None] = lambda line: None,
    progress: Progress = silent,
) -> Exported:
    """Writes `path`, and the card beside a file that facekit can run; nothing changes there
    before all is made and measured.

    `precision`, `crops`, `rule`: of ONNX, see onnx_file.py; a .tflite is the model's own file;
    for the others see weights.py, a SavedModel is a folder.
    Raises as `require_writable_name`, StorageError, and what making the file raises.
    """
    require_writable_name(path, wanted, force=force)
    if wanted not in WITH_CARD:
        require_float32(model)
        _write_for_others(model, wanted, path)
        return Exported(path, None, None)
    drift = None
    if wanted is ExportFormat.ONNX:
        from facekit.convert.onnx import make_onnx

        made = make_onnx(model, precision, crops=crops, rule=rule, note=note, progress=progress)
        card, content, drift = made.file.card, made.file.content, made.drift
    else:
        if model.path.suffix != LITERT_SUFFIX:
            raise UsageError(f"{model.path} is no LiteRT file; {wanted.value} only copies one.")
        card, content = model.card, model.path.read_bytes()
    card = replace(card, file_name=path.name)
    put_files(
        path.parent,
        {path.name: content, path.with_suffix(CARD_SUFFIX).name: card.to_json().encode()},
    )
    return Exported(path, card, drift)


def _write_for_others(model: InstalledModel, wanted: ExportFormat, path: Path) -> None:
    from facekit.train import keras_export as weights  # TensorFlow

    write = {
        ExportFormat.SAVED_MODEL: weights.saved_model,
        ExportFormat.KERAS: weights.keras_file,
        ExportFormat.FACENET_PYTORCH: weights.facenet_pytorch_file,
    }[wanted]
    write(model, path)
