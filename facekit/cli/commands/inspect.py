"""facekit inspect"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.options import json_option
from facekit.cli.render.inspection import print_inspection
from facekit.cli.render.output import emit_json, note
from facekit.errors import ModelMismatchError


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def inspect_command(model: Path, as_json: bool) -> None:
    """Show a .tflite or .onnx file's inputs, outputs, operators, parameters, MACs and card.

    Exit code 5 for a file that is damaged or not as the card beside it says.

    \b
    Example: facekit inspect facenet512_int8.tflite
             facekit inspect --json facenet512.onnx
    """
    from facekit.tasks.inspect import inspect

    inspected = inspect(model)
    if as_json:
        emit_json(inspected.to_dict())
    else:
        print_inspection(inspected)
    if inspected.has_wrong_card:
        note(f"error: {inspected.card_problem}")
        raise SystemExit(ModelMismatchError.exit_code)
