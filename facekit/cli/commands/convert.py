"""facekit convert"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.calibration_options import calibration_options, calibration_photos
from facekit.cli.command import Command
from facekit.cli.options import EnumChoice, json_option
from facekit.cli.render.conversion import print_conversion
from facekit.cli.render.output import emit_json
from facekit.cli.terminal import TerminalReporter
from facekit.enums import Architecture, RangeRule


@click.command(cls=Command, basic="float16 int8 uint8-input vela calibration output install json")
@click.argument("model", required=False)
@click.option("--float32", is_flag=True, help="The float32 file (also where no flag is given).")
@click.option("--float16", is_flag=True, help="Weights of 16 bits, half the size.")
@click.option("--int8", is_flag=True, help="All integers; int8 pixels in, float32 out.")
@click.option("--uint8-input", "uint8", is_flag=True, help="The same with uint8 pixels in.")
@click.option(
    "--vela",
    "target_names",
    multiple=True,
    is_flag=False,
    flag_value="imx93",
    metavar="[TARGET]",
    help="Compile the file with uint8 input for an NPU: imx93 where no target is named.",
)
@calibration_options
@click.option("--arch", type=EnumChoice(Architecture), help="A Keras file's graph.")
@click.option(
    "--like",
    metavar="NAME",
    help="Registry model whose preprocessing and crop a Keras file's weights share.  "
    "[default: the graph's authors']",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.",
)
@click.option("--install", is_flag=True, help="Put the variants into the store, for --model.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def convert(
    model: str | None,
    float32: bool,
    float16: bool,
    int8: bool,
    uint8: bool,
    target_names: tuple[str, ...],
    rule: RangeRule | None,
    arch: Architecture | None,
    like: str | None,
    output: Path | None,
    install: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert a model to LiteRT files, for NPUs too.

    MODEL is a registry name, a card or .tflite file, or a Keras file (with --arch).  Each file
    gets its card; integer files are measured against float32.

    \b
    Example: facekit convert --int8 --vela -o out/
             facekit convert mine.keras --arch inception-resnet-v1 --int8 -o out/
             facekit convert --int8 --install
             facekit verify a.jpg b.jpg --model facenet512-casia:int8
    """
    from facekit.tasks import convert as task

    plan = task.conversion_plan(
        float32=float32, float16=float16, int8=int8, uint8=uint8, targets=target_names
    )
    conversion = task.convert(
        model,
        plan,
        output=output,
        install=install,
        calibration=calibration_photos(**options),
        rule=rule,
        architecture=arch,
        like=like,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(conversion.to_dict())
    else:
        print_conversion(conversion)
