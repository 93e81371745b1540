"""facekit inspect"""

from __future__ import annotations

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    json_option,
)
from facekit.cli.render.inspection import print_inspection
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.errors import ModelMismatchError


@click.command("inspect", cls=Command)
@click.argument("model")
@click.option(
    "--detector",
    metavar="NAME",
    help="What finds faces, compiled by Vela too: tells what one verify takes on the NPU.",
)
@json_option
def inspect_command(model: str, detector: str | None, as_json: bool) -> None:
    """Show what a model file holds.

    Inputs, outputs, operators, parameters, MACs and card of a .tflite or .onnx file, or of a stored
    model by its name; of files that Vela has compiled also its estimate of their time.

    Exit code 5 for a file that is damaged or not as the card beside it says.

    \b
    Example: facekit inspect facenet512_int8.tflite
             facekit inspect --json facenet512.onnx
             facekit inspect sface_uint8_vela.tflite --detector yunet_uint8_vela.tflite
    """
    from facekit.tasks.inspect import inspect

    inspection = inspect(model, detector=detector)
    inspected = inspection.model
    if as_json:
        emit_json(inspection.to_dict())
    else:
        print_inspection(inspection)
    if inspected.has_wrong_card:
        error = ModelMismatchError(inspected.card_problem)
        note_error(str(error))
        exit_with([error])
