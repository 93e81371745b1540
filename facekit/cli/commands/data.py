"""facekit data: photos to evaluate on."""

from __future__ import annotations

from pathlib import Path

import click

from facekit.cli.options import json_option, offline_option


@click.group()
def data() -> None:
    """Fetch the photos that eval-lfw and calibrate measure on.

    \b
    Example: facekit data fetch lfw
    """


@data.command()
@click.argument("name", type=click.Choice(["lfw"]))
@click.option(
    "--alignment",
    type=click.Choice(["original", "funneled"]),
    default="funneled",
    show_default=True,
    help="Which copy of LFW: as collected, or aligned by funneling.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data home of scikit-learn.  [default: SCIKIT_LEARN_DATA or ~/scikit_learn_data]",
)
@offline_option
@json_option
def fetch(name: str, alignment: str, home: Path | None, offline: bool, as_json: bool) -> None:
    """Fetch the photos and pair lists of LFW, about 240 MB.

    scikit-learn's fetcher does it and checks the archives; eval-lfw and calibrate find them
    there without --data.

    \b
    Example: facekit data fetch lfw
    """
    from facekit.cli.render.output import emit_json, note
    from facekit.evaluate.protocols.fetch_lfw import Alignment, data_home, fetch_lfw

    target = data_home(home)
    if not as_json:
        note(f"{name} is fetched into {target}")
    folder = fetch_lfw(target, Alignment(alignment), offline=offline)
    if as_json:
        emit_json({"data": name, "alignment": alignment, "folder": str(folder)})
    else:
        click.echo(str(folder))
