"""facekit compare"""

from __future__ import annotations

from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import embedding_options, json_option, photos_argument
from facekit.cli.render.comparison import print_matrix, print_matrix_csv
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.requests import pipeline_request
from facekit.cli.types import Whole
from facekit.errors import UsageError


@click.command(cls=Command, basic="face csv model json")
@photos_argument()
@click.option(
    "--top",
    type=Whole(1),
    metavar="N",
    help="List the N most alike pairs.",
    show_default="a matrix; 20 pairs where it would be wider than 80 columns",
)
@click.option("--csv", "as_csv", is_flag=True, help="Write the whole matrix as CSV.")
@embedding_options
@json_option
def compare(
    photos: tuple[str, ...],
    top: int | None,
    as_csv: bool,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare every photo with every other.

    The answers are cosine similarities, 1 for the same.  A few photos make a matrix, more of them
    a list of the pairs that are most alike.  --csv and --json always have every pair.

    A photo that cannot be used is reported, and the others go on; the exit code is then that of
    the first such photo.

    \b
    Example: facekit compare a.jpg b.jpg c.jpg
             facekit compare --face all family.jpg
             facekit compare --top 50 photos/
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one result; pass one of them.")
    if top is not None and (as_csv or as_json):
        raise UsageError("--top shortens what people read; --csv and --json have every pair.")

    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import compare as task

    matrix = task.compare(
        photos, request=pipeline_request(model, **options), reporter=TerminalReporter()
    )
    if as_json:
        emit_json(matrix.to_dict())
    elif as_csv:
        print_matrix_csv(matrix)
    else:
        print_matrix(matrix, top=top)
    exit_with(failure.error for failure in matrix.failures)
