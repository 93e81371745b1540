"""A model to one file of another format, put in place with its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from facekit.enums import ExportFormat, Precision
from facekit.errors import UsageError
from facekit.host.output import put_files, require_absent
from facekit.host.quantize.drift import Drift
from facekit.host.quantize.photos import CropSet
from facekit.host.quantize.progress import Progress, silent
from facekit.host.quantize.rules import Rule
from facekit.models.card import Card
from facekit.models.decode import PLAIN_NAME
from facekit.models.store import CARD_SUFFIX, InstalledModel
from facekit.models.variants import LITERT_SUFFIX, ONNX_SUFFIX

SUFFIXES = {ExportFormat.ONNX: ONNX_SUFFIX, ExportFormat.TFLITE: LITERT_SUFFIX}


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    path: Path
    card: Card
    drift: Drift | None
    """how far the embeddings are from float32's; None for a file that is float32's own"""


def require_writable_name(path: Path, wanted: ExportFormat, *, force: bool) -> None:
    """To be asked before the work.  Raises UsageError for a name that no card can have, another
    suffix than the format's, and a file that exists where `force` does not allow replacing it.
    """
    suffix = SUFFIXES[wanted]
    if path.suffix != suffix or not PLAIN_NAME.fullmatch(path.name):
        raise UsageError(
            f"A {wanted.value} file's name ends in {suffix} and has letters, digits and ._- only. "
            f"Received: {path.name!r}"
        )
    require_absent(path.parent, [path.name, path.with_suffix(CARD_SUFFIX).name], force=force)


def export(
    model: InstalledModel,
    wanted: ExportFormat,
    path: Path,
    *,
    precision: Precision = Precision.FP32,
    crops: CropSet | None = None,
    rule: Rule | None = None,
    force: bool = False,
    note: Callable[[str], None] = lambda line: None,
    progress: Progress = silent,
) -> Exported:
    """Writes `path` and the card beside it; nothing changes there before all is made and measured.

    `precision`, `crops`, `rule`: of ONNX, see onnx_file.py; a .tflite is the model's own file.
    Raises as `require_writable_name`, StorageError, and what making the file raises.
    """
    require_writable_name(path, wanted, force=force)
    drift = None
    if wanted is ExportFormat.ONNX:
        from facekit.host.export.onnx_file import make_onnx

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
