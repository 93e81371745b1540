"""facekit verify"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    embedding_options,
    json_option,
    liveness_options,
    min_quality_option,
    parallel_options,
    photos_argument,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.requests import pipeline_request
from facekit.cli.server_options import server_options
from facekit.cli.threshold_options import threshold_options
from facekit.cli.types import FILE
from facekit.enums import Liveness
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.tasks.verify_pairs import VerifiedPair
    from facekit.template.threshold import ThresholdChoice


@click.command(
    cls=Command,
    basic="threshold min-similarity fmr pairs min-quality liveness output plot face model server "
    "json",
)
@server_options
@photos_argument(required=False, metavar="[PHOTO PHOTO]")
@threshold_options(default="1e-3")
@click.option(
    "--pairs",
    type=FILE,
    help="Verify every line of a table of paths (CSV a,b; other columns are carried along); - "
    "reads stdin.  With --json the answer is JSON Lines, an object on a line.",
)
@min_quality_option("An error, exit code 3, where a face that decides is poorer.")
@liveness_options
@output_file("With --pairs: write here instead of stdout (.csv or .jsonl).")
@click.option(
    "--plot",
    type=FILE,
    help="Write a picture of both faces, their crops and the decision (PNG, SVG or PDF).",
)
@force_option("the file of -o or --plot")
@embedding_options
@parallel_options
@json_option
def verify(
    photos: tuple[str, ...],
    choice: ThresholdChoice,
    pairs: Path | None,
    min_quality: float | None,
    liveness: Liveness,
    liveness_model: str | None,
    output: Path | None,
    plot: Path | None,
    force: bool,
    model: str | None,
    workers: int | None,
    ray: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Decide whether two photos show the same person.

    Exit code 0 for yes, 1 for no.

    PHOTO is a photo, - for stdin, or an embedding file written by facekit embed.

    \b
    Example: facekit verify a.jpg b.jpg
             facekit verify --fmr 1e-4 --json a.jpg b.jpg
             facekit verify --pairs list.csv -o result.csv
             facekit verify --liveness report --liveness-model fas.onnx a.jpg b.jpg
             facekit verify --server http://127.0.0.1:8000 a.jpg b.jpg
    """
    if pairs is None and len(photos) != 2:
        raise UsageError(f"Two photos are needed. Received: {len(photos)}")
    if pairs is not None and (photos or plot):
        raise UsageError("--pairs takes its photos from the list: no PHOTO or --plot with it.")
    if pairs is None and (output, workers, ray) != (None, None, None):
        raise UsageError("-o, --workers and --ray go with --pairs.")
    if pairs is not None and (liveness, liveness_model) != (Liveness.OFF, None):
        raise UsageError("--liveness goes with two photos, not with --pairs.")
    if photos == ("-", "-"):
        raise UsageError("stdin holds one photo; only one can be -.")

    from facekit.cli.terminal import TerminalReporter

    request = pipeline_request(model, **options)
    reporter = TerminalReporter()
    if pairs is not None:
        from facekit.tasks import verify_pairs as task

        if output is not None:
            task.require_list_file(output, force=force)
        listed = task.read_pairs(pairs)
        results = task.verify_pairs(
            listed,
            request=request,
            threshold=choice,
            min_quality=min_quality,
            workers=workers,
            ray=ray,
            reporter=reporter,
        )
        _write_list(results, output, as_json=as_json)

    from facekit.cli.render.verification import print_verification
    from facekit.tasks import verify as verify_task
    from facekit.tasks.liveness import LivenessRequest

    result = verify_task.verify(
        *photos,
        request=request,
        threshold=choice,
        min_quality=min_quality,
        liveness=LivenessRequest(liveness, liveness_model),
        plot=plot,
        force=force,
        reporter=reporter,
    )
    if as_json:
        emit_json(result.to_dict())
    else:
        device = result.device
        print_verification(
            result.to_dict(), device=str(device) if device.is_accelerator_requested else None
        )
    exit_with(answer=bool(result))


def _write_list(results: Iterator[VerifiedPair], output: Path | None, *, as_json: bool) -> NoReturn:
    """To a file, or to stdout as each pair is done."""
    from facekit.cli.render.verification import pair_lines
    from facekit.tasks.verify_pairs import VerifiedList, is_json_list, write_lines

    done: list[VerifiedPair] = []

    def kept() -> Iterator[VerifiedPair]:
        for result in results:
            done.append(result)
            yield result

    if output is None:
        for line in pair_lines(kept(), as_json=as_json):
            click.echo(line, nl=False)
    else:
        write_lines(output, pair_lines(kept(), as_json=is_json_list(output)))
    verified = VerifiedList(output, tuple(done))
    if output is not None and as_json:
        emit_json(verified.to_dict())
    failed = [pair.error for pair in done if pair.error is not None]
    if failed:
        note_error(f"{len(failed)} of {len(done)} pairs failed; the first: {failed[0]}")
    exit_with(failed, answer=verified.all_same)
