"""facekit quantize"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.calibration_options import calibration_options, calibration_photos
from facekit.cli.command import Command
from facekit.cli.options import (
    json_option,
)
from facekit.cli.output_options import accept_drift_option, force_option, output_folder
from facekit.cli.render.conversion import print_quantized
from facekit.cli.render.output import emit_json
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import FILE, FOLDER
from facekit.enums import RangeRule


@click.command(cls=Command, basic="recipe calibration output layers plot evaluate-on force json")
@click.argument("model", metavar="MODEL")
@click.option(
    "--recipe",
    metavar="RECIPE",
    default="static_wi8_ai8",
    help="Name of a recipe (static_wi8_ai8, static_wi8_ai16, dynamic_wi8_afp32, ...) or a "
    ".json file; see facekit config list.",
)
@calibration_options
@click.option(
    "--drift-on",
    type=click.Path(path_type=Path),
    help="Photos to measure the drift on.",
    show_default="those of --calibration",
)
@click.option("--layers", is_flag=True, help="Rank the layers by their error.")
@click.option(
    "--evaluate-on",
    type=FOLDER,
    help="LFW: accuracy, EER and TAR on pairsDevTest, before and after.",
)
@click.option(
    "--plot",
    type=FILE,
    help="Write a picture of the drift (PNG).",
)
@output_folder("Folder to write to.", required=True)
@force_option("files that exist")
@accept_drift_option
@json_option
def quantize(
    model: str,
    recipe: str,
    range_rule: RangeRule | None,
    drift_on: Path | None,
    layers: bool,
    evaluate_on: Path | None,
    plot: Path | None,
    output: Path,
    force: bool,
    accept_drift: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantize a model by a recipe, and report its drift.

    The drift is how far its embeddings are from those of float32.

    Writes the model, its card, the recipe, and the drift report (JSON).

    \b
    Example: facekit quantize facenet512-casia --calibration lfw -o out --layers --plot drift.png
             facekit quantize facenet512-casia --recipe static_wi8_ai16 -o out
    """
    from facekit.tasks import quantize as task

    quantized = task.quantize(
        model,
        output=output,
        recipe=recipe,
        calibration=calibration_photos(**options),
        drift_on=drift_on,
        range_rule=range_rule,
        layers=layers,
        evaluate_on=evaluate_on,
        plot=plot,
        force=force,
        accept_drift=accept_drift,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(quantized.to_dict())
    else:
        print_quantized(quantized)
