"""facekit calibrate"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.data_options import (
    data_option,
    pairs_option,
    protocol_option,
    reading_options,
)
from facekit.cli.device_options import runtime_option
from facekit.cli.options import json_option, model_option
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.models import operating_points
from facekit.cli.render.output import emit_json
from facekit.cli.render.people import margin_cost


def _rates(_ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Comma-separated rates, each between 0 and 1."""
    try:
        rates = tuple(float(one) for one in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers", param=param) from error
    if not all(0 < rate < 1 for rate in rates):
        raise click.BadParameter(f"each lies between 0 and 1. Received: {value}", param=param)
    return rates


@click.command(cls=Command, basic="data model fmr write output json")
@model_option
@data_option
@protocol_option("devtrain of LFW, else folders")
@pairs_option
@reading_options
@runtime_option
@click.option(
    "--fmr",
    metavar="RATE,...",
    callback=_rates,
    default="1e-2,1e-3,1e-4",
    help="False match rates to find thresholds for.",
)
@click.option("--write", is_flag=True, help="Put the result into the model's card.")
@output_file("Write the result as a calibration file (JSON).")
@force_option("the file of -o")
@json_option
def calibrate(
    model: str | None,
    data: Path | None,
    protocol: str | None,
    pairs: Path | None,
    workers: int | None,
    ray: str | None,
    fmr: tuple[float, ...],
    write: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure a model's thresholds on labeled photos.

    Finds the thresholds at which strangers match at a given rate (FMR), how often the same
    person is then missed (FNMR), and what probability a score stands for.  With --write,
    facekit verify uses the result from then on, and a crop rule given here with it.

    \b
    Example: facekit calibrate --data lfw --write
             facekit calibrate --data photos/ --write
             facekit calibrate --data agedb_30.bin --crop none --model my.onnx --write
             facekit calibrate --pairs mine.csv --data photos --model my.tflite --write
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.calibrate import calibrate as measure

    done = measure(
        pipeline_request(model, **options),
        data=data,
        protocol=protocol,
        pairs=pairs,
        fmr=fmr,
        write=write,
        output=output,
        force=force,
        workers=workers,
        ray=ray,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(done.to_dict())
        return
    result = done.result
    click.echo(
        f"{done.card.full_name} on {result.photo_count} photos of "
        f"{result.people_count or 'unnamed'} people, {len(result.failures)} without an embedding"
    )
    click.echo("\n".join(operating_points(result.calibration.operating_points)))
    click.echo(
        f"probability: off by {result.reliability.expected_calibration_error:.3f} on average, on "
        "held-out pairs"
    )
    if rule := result.calibration.margin:
        click.echo(f"identify: least margin {rule.least:.4f}; {margin_cost(rule)}")
    click.echo(
        "written to the model's card"
        if write
        else "not in the model's card: pass --write to use it"
    )
