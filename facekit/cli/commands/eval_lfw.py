"""facekit eval-lfw"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.config_option import config_option
from facekit.cli.data_options import evaluation_options
from facekit.cli.options import (
    DEFAULT_MODEL,
    EnumChoice,
    json_option,
)
from facekit.cli.output_options import force_option, output_folder
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.types import Real, Whole
from facekit.enums import Flip, Profile


@click.command("eval-lfw", cls=Command, basic="data model profile protocol pairs output json")
@config_option("eval-lfw")
@click.option(
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    show_default=DEFAULT_MODEL,
    help="Registry name, NAME:VARIANT, or a .tflite or .onnx file; give it again to compare "
    "models.",
)
@click.option(
    "--profile",
    type=EnumChoice(Profile),
    help="Evaluate as this system's authors do; sets --protocol and what else is not given.",
)
@click.option(
    "--flip",
    type=EnumChoice(Flip),
    help="What is done with the mirrored crop's embedding.",
    show_default="what the profile's authors do, else what the model's card says",
)
@click.option(
    "--subtract-mean",
    is_flag=True,
    help="Center by the mean of the training pairs instead of the card's.",
)
@evaluation_options(default_protocol=None)
@click.option(
    "--all-pairs", is_flag=True, help="Also score every pair of the photos, for low FMRs."
)
@click.option(
    "--limit",
    type=Whole(1),
    metavar="N",
    help="Only the first N pairs of each kind of every fold.",
)
@click.option(
    "--recompute", is_flag=True, help="Embed every photo again, so that times are measured."
)
@click.option(
    "--assert-accuracy",
    type=Real(0, 1, min_open=True),
    metavar="SHARE",
    help="Exit with 1 where a result is below this share (0..1), failures counted as errors.",
)
@output_folder("Folder for report.html, report.json, pairs.csv and the figures.")
@force_option("an earlier report in -o")
@json_option
def eval_lfw(
    models: tuple[str, ...],
    profile: Profile | None,
    flip: Flip | None,
    subtract_mean: bool,
    data: Path | None,
    protocol: str | None,
    pairs: Path | None,
    workers: int | None,
    ray: str | None,
    all_pairs: bool,
    limit: int | None,
    recompute: bool,
    assert_accuracy: float | None,
    output: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure accuracy on LFW or on pairs of your own.

    Without --protocol: devtest, 1,000 pairs, with the threshold that devtrain's 2,200 choose.

    \b
    Example: facekit eval-lfw --data lfw
             facekit eval-lfw --data lfw --model facenet512-casia --model my_int8.tflite -o report
             facekit eval-lfw --data lfw --profile facenet
             facekit eval-lfw --pairs mine.csv --data photos
             facekit eval-lfw --data lfw --config ixrt
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.evaluate import evaluate

    report = evaluate(
        [pipeline_request(model, **options) for model in models or (None,)],
        data=data,
        protocol=protocol,
        pairs=pairs,
        profile=profile,
        flip=flip,
        subtract_mean=subtract_mean,
        all_pairs=all_pairs,
        limit=limit,
        recompute=recompute,
        workers=workers,
        ray=ray,
        output=output,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(report.to_dict())
    else:
        from facekit.cli.render.evaluation import report_text

        click.echo(report_text(report))
    if assert_accuracy is not None and (below := report.below(assert_accuracy)):
        note_error(f"accuracy below {assert_accuracy:g}: {', '.join(below)}")
        exit_with(answer=False)
