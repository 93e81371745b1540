"""facekit embed"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    embedding_options,
    json_option,
    parallel_options,
    photos_argument,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.requests import pipeline_request


@click.command(cls=Command, basic="output face model workers json")
@photos_argument()
@output_file("Embedding file: .npz, .csv or .jsonl.", required=True)
@force_option("the file of -o")
@embedding_options
@parallel_options
@json_option
def embed(
    photos: tuple[str, ...],
    output: Path,
    force: bool,
    model: str | None,
    workers: int | None,
    ray: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the embeddings of photos to a file.

    A photo without a face, or one that cannot be read, is a row with its error; the exit code
    is then that of the first such row.

    \b
    Example: facekit embed photos/ -o people.npz
             facekit embed --face all group.jpg -o group.csv
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import embed as task

    written = task.embed(
        photos,
        output,
        request=pipeline_request(model, **options),
        force=force,
        workers=workers,
        ray=ray,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(written.to_dict())
    else:
        click.echo(
            f"{written.embedding_count} embeddings of {written.photo_count} photos in {output}"
        )
    exit_with([failure.error for failure in written.failures])
