"""facekit convert"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.calibration_options import calibration_options, calibration_photos
from facekit.cli.command import Command
from facekit.cli.device_options import allow_cpu_fallback_option
from facekit.cli.options import EnumChoice, json_option
from facekit.cli.output_options import (
    accept_drift_option,
    force_option,
    install_option,
    output_folder,
)
from facekit.cli.render.conversion import print_conversion
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.terminal import TerminalReporter
from facekit.enums import Architecture, RangeRule


@click.command(cls=Command, basic="float16 int8 uint8 vela calibration output install json")
@click.argument("model", required=False)
@click.option("--float32", is_flag=True, help="The float32 file (also where no flag is given).")
@click.option("--float16", is_flag=True, help="Weights of 16 bits, half the size.")
@click.option("--int8", is_flag=True, help="All integers; int8 pixels in, float32 out.")
@click.option("--uint8", is_flag=True, help="The same with uint8 pixels in.")
@click.option(
    "--vela",
    multiple=True,
    is_flag=False,
    flag_value="imx93",
    metavar="[TARGET]",
    help="Compile the file with uint8 input for an NPU: imx93 where no target is named.",
)
@calibration_options
@click.option(
    "--architecture",
    type=EnumChoice(Architecture),
    help="The network that a Keras file's weights are for.",
)
@click.option(
    "--like",
    metavar="NAME",
    help="Registry model whose preprocessing and crop a Keras file's weights share.",
    show_default="the graph's authors'",
)
@output_folder("Folder to write to.")
@install_option
@force_option("files that exist")
@accept_drift_option
@allow_cpu_fallback_option("Accept a network that Vela leaves mostly to the CPU.")
@json_option
def convert(
    model: str | None,
    float32: bool,
    float16: bool,
    int8: bool,
    uint8: bool,
    vela: tuple[str, ...],
    range_rule: RangeRule | None,
    architecture: Architecture | None,
    like: str | None,
    output: Path | None,
    install: str | None,
    force: bool,
    accept_drift: bool,
    allow_cpu_fallback: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert a model to LiteRT files, for NPUs too.

    MODEL is a registry name, a card or .tflite file, or a Keras file (with --architecture).  Each
    file gets its card; integer files are measured against float32.  What Vela cannot compile for
    a target is told, with exit code 6; the other files are kept.

    \b
    Example: facekit convert --int8 --vela -o out/
             facekit convert mine.keras --architecture inception-resnet-v1 --int8 -o out/
             facekit convert --int8 --install facenet512-casia
             facekit verify a.jpg b.jpg --model facenet512-casia:int8
    """
    from facekit.tasks import convert as task

    plan = task.conversion_plan(float32=float32, float16=float16, int8=int8, uint8=uint8, vela=vela)
    conversion = task.convert(
        model,
        plan,
        output=output,
        install=install,
        calibration=calibration_photos(**options),
        range_rule=range_rule,
        architecture=architecture,
        like=like,
        force=force,
        accept_drift=accept_drift,
        allow_cpu_fallback=allow_cpu_fallback,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(conversion.to_dict())
    else:
        print_conversion(conversion)
    for failure in conversion.failures:
        note_error(str(failure.error))
    if conversion.failures:
        exit_with(failure.error for failure in conversion.failures)
