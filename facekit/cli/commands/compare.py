"""facekit compare"""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import embedding_options, json_option, photos_argument
from facekit.cli.render.output import emit_json
from facekit.cli.requests import pipeline_request
from facekit.errors import UsageError


@click.command(cls=Command, basic="face csv model json")
@photos_argument()
@click.option("--csv", "as_csv", is_flag=True, help="Write the matrix as CSV.")
@embedding_options
@json_option
def compare(
    photos: tuple[str, ...], as_csv: bool, model: str | None, as_json: bool, **options: Any
) -> None:
    """Compare every photo with every other.

    The answer is a table of cosine similarities.

    \b
    Example: facekit compare a.jpg b.jpg c.jpg
             facekit compare --face all family.jpg
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one result; pass one of them.")

    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import compare as task

    matrix = task.compare(
        photos, request=pipeline_request(model, **options), reporter=TerminalReporter()
    )
    labeled = list(zip(matrix.labels, matrix.similarity, strict=True))
    if as_json:
        emit_json(matrix.to_dict())
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["", *matrix.labels])
        writer.writerows([label, *(f"{value:.6f}" for value in row)] for label, row in labeled)
    else:
        width = max(map(len, matrix.labels))
        for number, (label, row) in enumerate(labeled, 1):
            cells = " ".join(f"{value:6.3f}" for value in row)
            click.echo(f"{number:3} {label:{width}} {cells}")
