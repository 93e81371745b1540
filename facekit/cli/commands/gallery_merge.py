"""facekit gallery merge and unmerge"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import json_option
from facekit.cli.render.output import note_error, print_result
from facekit.cli.render.people import EXIT_NOBODY, exit_nobody

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation


@click.command(cls=Command)
@click.argument("name")
@click.argument("other")
@gallery_options
@json_option
def merge(name: str, other: str, location: GalleryLocation, as_json: bool) -> None:
    """File two people as one.

    All templates of OTHER become NAME's.  OTHER is no longer listed; a photo that both have counts
    once.  gallery show NAME says who was merged, and gallery unmerge undoes it.

    \b
    Example: facekit gallery merge "Ada Lovelace" "Ada Byron"
    """
    from facekit.tasks import gallery as tasks

    result = tasks.merge(location, name, other)
    if result.merge is None:
        exit_nobody(*result.absent)
    else:
        moved, known = len(result.merge.moved), len(result.merge.known)
        text = f"{other} is now {name}: {moved} templates moved, {known} known already"
        print_result(result, text, as_json=as_json)


@click.command(cls=Command)
@click.argument("name")
@click.argument("other")
@gallery_options
@json_option
def unmerge(name: str, other: str, location: GalleryLocation, as_json: bool) -> None:
    """Undo a merge.

    NAME and OTHER have again what each had.  What was enrolled under NAME since then stays there.

    \b
    Example: facekit gallery unmerge "Ada Lovelace" "Ada Byron"
    """
    from facekit.tasks import gallery as tasks

    result = tasks.unmerge(location, name, other)
    if result.absent:
        exit_nobody(*result.absent)
    elif result.merge is None:
        note_error(f"nobody called {other} is merged into {name}")
        raise SystemExit(EXIT_NOBODY)
    else:
        print_result(
            result,
            f"{other} is enrolled again: {len(result.merge.photos)} templates",
            as_json=as_json,
        )
