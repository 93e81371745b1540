"""facekit export"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import DEFAULT_MODEL, EnumChoice, json_option
from facekit.cli.render.conversion import (
    bar,
    calibration_crops,
    calibration_options,
    float32_model,
    print_drift,
)
from facekit.cli.render.output import emit_json, note
from facekit.enums import ExportFormat, Precision
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.model.store import InstalledModel
    from facekit.tasks.export import Exported


@click.command("export")
@click.argument("model", default=DEFAULT_MODEL)
@click.option(
    "--format", "wanted", type=EnumChoice(ExportFormat), required=True, help="What to write."
)
@click.option(
    "--precision",
    type=EnumChoice(Precision),
    help="Of an ONNX file; int8 is quantised as convert does it.  [default: fp32]",
)
@calibration_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, a folder for a SavedModel; a card goes beside ONNX and LiteRT files.",
)
@click.option("--install", is_flag=True, help="Put an ONNX file into the store, for --runtime.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def export_command(
    model: str,
    wanted: ExportFormat,
    precision: Precision | None,
    calibration: Path | None,
    rule: str | None,
    output: Path | None,
    install: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a model for other systems: ONNX, Keras, SavedModel, LiteRT, facenet-pytorch.

    An ONNX file takes any batch, has its card beside it, and is measured against float32; so
    facekit can run it, as it can the .tflite file.  A SavedModel is a folder.

    \b
    Example: facekit export --format onnx -o facenet512.onnx
             facekit export facenet512-casia --format onnx --precision int8 -o int8.onnx
             facekit export --format onnx --install
             facekit verify --runtime onnx a.jpg b.jpg
             facekit export --format facenet-pytorch -o facenet512.pt
    """
    from facekit.enums import RangeRule

    if output is None and not install:
        raise UsageError("Say where the file shall go: -o FILE, or --install for the store.")
    if wanted is not ExportFormat.ONNX:
        _refuse_onnx_options(precision, calibration, rule, install)
    elif precision is not Precision.INT8 and (calibration is not None or rule is not None):
        raise UsageError("--calibration and --rule are for --precision int8.")
    with ExitStack() as stack:
        source = _source(model, wanted, stack)
        path = output or _in_store(stack, source.card.name, precision or Precision.FP32)
        from facekit.tasks.export import export, require_writable_name

        require_writable_name(path, wanted, force=force)  # said now, not after minutes of work
        exported = export(
            source,
            wanted,
            path,
            precision=precision or Precision.FP32,
            crops=calibration_crops(source, calibration, **options),
            rule=RangeRule(rule) if rule else None,
            force=force,
            note=note,
            progress=bar,
        )
        if install:
            exported = _installed(exported, output)
    if as_json:
        emit_json(_payload(exported))
        return
    click.echo(f"{exported.path}  {exported.size_bytes / 1e6:.1f} MB")
    if exported.drift is not None:
        print_drift(exported.drift)


def _source(model: str, wanted: ExportFormat, stack: ExitStack) -> InstalledModel:
    """The model itself, or for what is made anew, the float32 file it was made from."""
    from facekit.cli.ensure import ensure_installed

    if wanted is ExportFormat.TFLITE:
        return ensure_installed(model)
    return float32_model(model, stack)


def _refuse_onnx_options(
    precision: Precision | None, calibration: Path | None, rule: str | None, install: bool
) -> None:
    if precision not in (None, Precision.FP32) or calibration is not None or rule is not None:
        raise UsageError(
            "--precision, --calibration and --rule are for --format onnx; facekit convert makes "
            "float16 and integer files for LiteRT."
        )
    if install:
        raise UsageError("--install is for --format onnx; facekit convert --install for LiteRT.")


def _in_store(stack: ExitStack, name: str, precision: Precision) -> Path:
    """Where a file waits that only the store shall have."""
    import tempfile

    from facekit.model.variants import file_name, onnx_variant

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facekit-install-"))
    return Path(folder) / file_name(name, onnx_variant(precision))


def _installed(exported: Exported, output: Path | None) -> Exported:
    """The same in the store too; the path is that of `output` where there is one."""
    from dataclasses import replace

    from facekit.cli.ensure import waiting
    from facekit.model.installation import install, write_card
    from facekit.model.store import variant_path
    from facekit.model.variants import file_name
    from facekit.system.files import write_atomically

    card = exported.card
    assert card is not None  # it is an ONNX file
    stored = replace(card, file_name=file_name(card.name, card.variant))

    def copy(folder: Path) -> None:
        path = folder / stored.file_name
        write_atomically(path, exported.path.read_bytes())
        write_card(path, stored)

    install(card.name, copy, on_wait=waiting(card.name))
    note(f"installed: {card.name}:{card.variant}")
    if output is not None:
        return exported
    return replace(exported, path=variant_path(card.name, card.variant), card=stored)


def _payload(exported: Exported) -> dict[str, Any]:
    card = exported.card
    return {
        "path": str(exported.path),
        "size_bytes": exported.size_bytes,
        "card": card
        and {
            "variant": card.variant,
            "sha256": card.file_sha256,
            "input_formula": card.quantisation.input_formula,
            "thresholds": [point.target for point in card.calibration.operating_points],
            "calibration_source": card.calibration.source,
        },
        "drift": exported.drift and exported.drift.as_dict(),
    }
