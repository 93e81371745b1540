"""facekit data: photos to evaluate on."""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.command import Group
from facekit.cli.options import (
    EnumChoice,
    json_option,
    offline_option,
)
from facekit.cli.output_options import output_folder
from facekit.cli.render.output import emit_json
from facekit.cli.terminal import TerminalReporter
from facekit.cli.types import Words
from facekit.enums import LfwAlignment


@click.group(cls=Group)
def data() -> None:
    """Fetch photos to measure on.

    eval-lfw and calibrate find them.

    \b
    Example: facekit data fetch lfw
    """


@data.command()
@click.argument("name", type=Words(["lfw"]))
@click.option(
    "--alignment",
    type=EnumChoice(LfwAlignment),
    default=LfwAlignment.FUNNELED.value,
    help="Which copy of LFW: as collected, or aligned by funneling.",
)
@output_folder(
    "Data home of scikit-learn.", show_default="SCIKIT_LEARN_DATA or ~/scikit_learn_data"
)
@offline_option
@json_option
def fetch(name: str, alignment: LfwAlignment, output: Path | None, as_json: bool) -> None:
    """Fetch the photos and pair lists of LFW.

    They are about 240 MB.  scikit-learn's fetcher does it and checks the archives; eval-lfw and
    calibrate find them there without --data.

    \b
    Example: facekit data fetch lfw
    """
    from facekit.tasks import data as task

    fetched = task.fetch(alignment=alignment, output=output, reporter=TerminalReporter())
    if as_json:
        emit_json(fetched.to_dict())
    else:
        click.echo(fetched.output)
