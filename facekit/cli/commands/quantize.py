"""facekit quantize"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import json_option
from facekit.cli.render.conversion import (
    bar,
    calibration_crops,
    calibration_options,
    float32_model,
    print_accuracy,
    print_drift,
    print_layers,
)
from facekit.cli.render.output import emit_json, note

if TYPE_CHECKING:
    from facekit.convert.layer_drift import LayerDrift


@click.command()
@click.argument("model", metavar="FILE|NAME")
@click.option(
    "--scheme",
    default="static_wi8_ai8",
    show_default=True,
    help="Name of a recipe (static_wi8_ai8, static_wi8_ai16, dynamic_wi8_afp32, ...) or a "
    ".json file; see configs/recipes.",
)
@calibration_options
@click.option(
    "--drift-on",
    type=click.Path(path_type=Path),
    metavar="DIR|LIST",
    help="Photos to measure the drift on.  [default: those of --calibration]",
)
@click.option("--layers", "with_layers", is_flag=True, help="Rank the layers by their error.")
@click.option(
    "--evaluate",
    "lfw_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="LFW: accuracy, EER and TAR on pairsDevTest, before and after.",
)
@click.option("--plot", is_flag=True, help="Draw the drift as <model>_drift.png.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def quantize(
    model: str,
    scheme: str,
    calibration: Path | None,
    rule: str | None,
    drift_on: Path | None,
    with_layers: bool,
    lfw_folder: Path | None,
    plot: bool,
    output: Path,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantise a model by a recipe, and report how far it drifts from float32.

    Writes the model, its card, the recipe, and the drift report (JSON).

    \b
    Example: facekit quantize facenet512-casia --calibration lfw -o out --layers --plot
             facekit quantize facenet512-casia --scheme static_wi8_ai16 -o out
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.convert.conversion import DRIFT_SEED, DRIFT_SUFFIX, Wanted, convert
    from facekit.convert.drift_plot import PLOT_SUFFIX, drift_png
    from facekit.convert.layer_drift import rank_layers
    from facekit.convert.quantize.recipe import read_recipe
    from facekit.convert.shipped_faces import shipped_crops
    from facekit.enums import RangeRule
    from facekit.evaluate.protocols.lfw import find_lfw
    from facekit.evaluate.view1 import compare_accuracy
    from facekit.model.store import InstalledModel
    from facekit.system.extras import require
    from facekit.system.files import write_atomically
    from facekit.system.output import require_absent

    recipe = read_recipe(scheme)
    if lfw_folder is not None:
        find_lfw(lfw_folder)  # said now, not after minutes of work
    with ExitStack() as stack:
        source = float32_model(model, stack)
        picture = f"{source.card.name}_{recipe.variant}{PLOT_SUFFIX}"
        if plot:
            require("matplotlib.figure", extra="plot", needed_for="--plot")
            require_absent(output, [picture], force=force)
        crops = calibration_crops(source, calibration, **options)
        drift_crops = calibration_crops(source, drift_on, **{**options, "count": None})
        (made,) = convert(
            source,
            Wanted((recipe,)),
            output,
            crops=crops,
            drift_crops=drift_crops,
            rule=RangeRule(rule) if rule else None,
            force=force,
            note=note,
            progress=bar,
        )
        assert made.drift is not None  # convert measures every recipe's file
        quantised = InstalledModel(made.card, made.path)
        report = made.drift.as_dict()
        layers: tuple[LayerDrift, ...] = ()
        if with_layers:
            seen = drift_crops or crops or shipped_crops(source.card, seed=DRIFT_SEED)
            layers = rank_layers(source, quantised, seen.crops)
            report["layers"] = [layer.as_dict() for layer in layers]
        accuracies = None
        if lfw_folder is not None:
            accuracies = compare_accuracy(
                source, quantised, lfw_folder, reporter=TerminalReporter()
            )
            report["accuracy"] = [one.as_dict() for one in accuracies]
    write_atomically(
        made.path.with_name(f"{made.path.stem}{DRIFT_SUFFIX}"),
        (json.dumps(report, indent=1) + "\n").encode(),
    )
    if plot:
        write_atomically(output / picture, drift_png(made.drift, layers))
    if as_json:
        formula = made.card.quantisation.input_formula
        emit_json({"path": str(made.path), "input_formula": formula, "drift": report})
        return
    click.echo(made.path)
    print_drift(made.drift)
    if layers:
        print_layers(layers)
    if accuracies is not None:
        print_accuracy(*accuracies)
