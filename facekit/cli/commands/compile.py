"""facekit compile"""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Command
from facekit.cli.device_options import allow_cpu_fallback_option
from facekit.cli.options import json_option
from facekit.cli.output_options import force_option, output_folder
from facekit.cli.render.compiled import print_compiled
from facekit.cli.render.output import emit_json
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import Whole, Words


@click.command("compile", cls=Command, basic="target output weight-bits force json")
@click.argument("model")
@click.option(
    "--target",
    metavar="TARGET",
    default="imx93",
    help="What it is for: a target's name (imx93, ethos-u55-128, ...) or a .toml file; see "
    "facekit config list.",
)
@output_folder("Folder to write to.", show_default="model_TARGET beside the model")
@click.option(
    "--memory-mode",
    type=Words(["Sram_Only", "Shared_Sram", "Dedicated_Sram"]),
    help="Where weights and feature maps are: in SRAM, feature maps alone in SRAM, or both in "
    "DRAM.",
    show_default="the target's",
)
@click.option(
    "--sram",
    metavar="BYTES",
    type=Whole(1),
    help="SRAM that the NPU may use; a network that needs more is exit code 6.",
    show_default="the target's",
)
@click.option(
    "--bandwidths/--no-bandwidths", default=True, help="Estimate under other bandwidths too."
)
@click.option(
    "--weight-bits",
    metavar="N",
    type=Whole(4, 8),
    default=8,
    help="Narrow the weights that the NPU waits for; 6: smaller, faster, to be calibrated anew.",
)
@allow_cpu_fallback_option("Accept a network that Vela leaves mostly to the CPU.")
@force_option("files that exist")
@json_option
def compile_command(
    model: str,
    target: str,
    output: Path | None,
    memory_mode: str | None,
    sram: int | None,
    bandwidths: bool,
    weight_bits: int,
    allow_cpu_fallback: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compile an integer model for an Arm Ethos-U NPU.

    MODEL is a .tflite file, or a stored model such as sface:uint8; Vela's estimate of its time is
    told too.

    Exit code 6 when less than 95 % of the operators are on the NPU.

    \b
    Example: facekit compile out/facenet512_uint8.tflite --target imx93
             facekit compile model.tflite --target my_board.toml -o out --json
    """
    from facekit.tasks.compile import compile_model

    compiled = compile_model(
        model,
        target=target,
        output=output,
        memory_mode=memory_mode,
        sram=sram,
        weight_bits=weight_bits,
        bandwidths=bandwidths,
        allow_cpu_fallback=allow_cpu_fallback,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(compiled.to_dict())
    else:
        print_compiled(compiled)
