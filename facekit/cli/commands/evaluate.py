"""facekit evaluate, eval-lfw"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import click

from facekit.cli.command import Command, command_line
from facekit.cli.config_option import config_option
from facekit.cli.data_options import (
    DATA,
    data_option,
    evaluation_options,
    pairs_option,
    protocol_option,
)
from facekit.cli.options import liveness_model_option
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.types import FOLDER
from facekit.errors import UsageError


@click.command("evaluate", cls=Command, basic="model data protocol liveness-model output json")
@click.argument("sources", nargs=-1, required=True, metavar="DATA...", type=DATA)
@click.option(
    "--data",
    type=FOLDER,
    help="Folder of the photos of pair lists that are not beside their list.",
)
@protocol_option("devtest of LFW, else folders")
@liveness_model_option
@evaluation_options
def evaluate(
    sources: tuple[Path, ...],
    data: Path | None,
    protocol: str | None,
    liveness_model: str | None,
    **options: Any,
) -> None:
    """Measure accuracy on labeled photos: one or several data sets.

    DATA is LFW's folder; a folder of photos with a folder a person, or as AgeDB has them; a .bin
    file of insightface, whose photos are crops; or a pair list: a table with a header such as
    a,b,same, LFW's format, or the pairs.csv of an earlier report.

    With --liveness-model the detector of presentation attacks is measured instead.  DATA then holds
    the folder bona-fide, and one for each species of attack: print, replay, ...

    \b
    Example: facekit evaluate photos/
             facekit evaluate lfw.bin cfp_fp.bin agedb_30.bin --model sface -o report
             facekit evaluate mine.csv --data photos --model facenet512-casia --model sface
             facekit evaluate photos/ --identification --gallery-size 100
             facekit evaluate presentations/ --liveness-model fas.onnx
    """
    if liveness_model is not None:
        _evaluate_liveness(sources, liveness_model, **options)
    _evaluate(sources, protocol, data, **options)


@click.command("eval-lfw", cls=Command, basic="data model profile protocol pairs output json")
@config_option("eval-lfw")
@data_option
@protocol_option("devtest, or the profile's")
@pairs_option
@evaluation_options
def eval_lfw(data: Path | None, protocol: str | None, pairs: Path | None, **options: Any) -> None:
    """Measure accuracy on LFW or on pairs of your own.

    Without --protocol: devtest, 1,000 pairs, with the threshold that devtrain's 2,200 choose.

    \b
    Example: facekit eval-lfw --data lfw
             facekit eval-lfw --data lfw --model facenet512-casia --model my_int8.tflite -o report
             facekit eval-lfw --data lfw --profile facenet
             facekit eval-lfw --pairs mine.csv --data photos
             facekit eval-lfw --data lfw --config ixrt
    """
    if pairs is not None and protocol is not None:
        raise UsageError("--protocol and --pairs both name the pairs; pass one of them.")
    if pairs is not None:
        _evaluate((pairs,), None, data, **options)
    elif data is not None and not data.is_dir():
        _evaluate((data,), protocol, None, **options)
    else:
        default = None if options["profile"] else "devtest"
        _evaluate(() if data is None else (data,), protocol or default, None, **options)


def _evaluate_liveness(sources: tuple[Path, ...], liveness_model: str, **options: Any) -> NoReturn:
    """Ends with the exit code of the first photo that cannot be read."""
    ctx = click.get_current_context()
    for parameter in ctx.command.params:
        is_given = ctx.get_parameter_source(parameter.name or "") is _TYPED
        if is_given and parameter.name not in _WITH_LIVENESS:
            raise UsageError(f"{parameter.opts[0]} goes without --liveness-model.")
    if len(sources) != 1:
        raise UsageError(f"--liveness-model takes one DATA. Received: {len(sources)}")
    from facekit.cli.render.evaluation import liveness_text
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.evaluate_liveness import evaluate_liveness

    report = evaluate_liveness(
        sources[0], liveness_model, request=pipeline_request(**options), reporter=TerminalReporter()
    )
    if options["as_json"]:
        emit_json(report.to_dict())
    else:
        click.echo(liveness_text(report))
    if report.failed:
        note_error(f"{len(report.failed)} photos failed; the first: {report.failed[0].error}")
    exit_with([failure.error for failure in report.failed], answer=True)


_TYPED = click.core.ParameterSource.COMMANDLINE
_WITH_LIVENESS = {
    *("sources", "liveness_model", "as_json", "threads", "offline", "face", "detector"),
    *("min_face", "min_score", "stage_thresholds", "scale_factor", "search_side", "rotate"),
    "max_megapixels",
}
"""Parameters that have a meaning for a presentation attack detector."""


def _evaluate(
    sources: tuple[Path, ...],
    protocol: str | None,
    photos_dir: Path | None,
    *,
    models: tuple[str, ...],
    limit: int | None,
    assert_accuracy: float | None,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.evaluate import EvaluationData, evaluate, identification_options

    asked = ("identification", "gallery_sizes", "enrolled_photos", "draws", "seed")
    own = ("profile", "flip", "subtract_mean", "all_pairs", "groups", "recompute", "workers")
    report = evaluate(
        [pipeline_request(model, **options) for model in models or (None,)],
        EvaluationData(sources, protocol=protocol, photos_dir=photos_dir, limit=limit),
        identification=identification_options(**{name: options[name] for name in asked}),
        output=output,
        command=command_line(click.get_current_context()),
        reporter=TerminalReporter(),
        **{name: options[name] for name in (*own, "ray", "force")},
    )
    if as_json:
        emit_json(report.to_dict())
    else:
        from facekit.cli.render.evaluation import report_text

        click.echo(report_text(report))
    if assert_accuracy is not None and (below := report.below(assert_accuracy)):
        note_error(f"accuracy below {assert_accuracy:g}: {', '.join(below)}")
        exit_with(answer=False)
