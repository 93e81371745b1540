"""facekit export"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.calibration_options import calibration_options, calibration_photos
from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    json_option,
)
from facekit.cli.output_options import force_option, install_option
from facekit.cli.render.conversion import print_drift, print_file
from facekit.cli.render.output import emit_json
from facekit.cli.terminal import TerminalReporter
from facekit.enums import ExportFormat, Precision, RangeRule


@click.command("export", cls=Command, basic="format precision output install force json")
@click.argument("model", required=False)
@click.option("--format", type=EnumChoice(ExportFormat), required=True, help="What to write.")
@click.option(
    "--precision",
    type=EnumChoice(Precision),
    help="The kind of numbers that an ONNX file computes in; int8 is quantized as convert does it.",
    show_default="fp32",
)
@calibration_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, a folder for a SavedModel; a card goes beside what facekit itself runs.",
)
@install_option
@force_option("files that exist")
@json_option
def export_command(
    model: str | None,
    format: ExportFormat,
    precision: Precision | None,
    range_rule: RangeRule | None,
    output: Path | None,
    install: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a model in the format of other systems.

    An ONNX or Keras file takes any batch, has its card beside it, and is measured against float32;
    so facekit can run it, as it can the .tflite file.  A SavedModel is a folder.  --install takes
    ONNX and Keras files.

    \b
    Example: facekit export --format onnx -o facenet512.onnx
             facekit export facenet512-casia --format onnx --precision int8 -o int8.onnx
             facekit export --format onnx --install facenet512-casia
             facekit verify --runtime onnx a.jpg b.jpg
             facekit export --format keras --install facenet512-casia
             facekit eval-lfw --runtime keras --data lfw
             facekit export --format facenet-pytorch -o facenet512.pt
    """
    from facekit.tasks.export import export

    exported = export(
        model,
        format,
        output=output,
        install=install,
        precision=precision,
        calibration=calibration_photos(**options),
        range_rule=range_rule,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(exported.to_dict())
        return
    print_file(exported.path, exported.size_bytes)
    if exported.drift is not None:
        print_drift(exported.drift)
