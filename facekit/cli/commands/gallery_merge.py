"""facekit gallery merge and unmerge"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import json_option
from facekit.cli.render.output import exit_with, note_error, print_result
from facekit.cli.render.people import note_nobody

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation
    from facekit.tasks.gallery_results import Merged


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
    note_nobody(*result.absent)
    text = f"{other} is now {name}: {result.moved_count} templates moved, "
    text += f"{result.shared_photo_count} photos in both"
    _tell(result, text, as_json=as_json)


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
    note_nobody(*result.absent)
    if result.merge is None and not result.absent:
        note_error(f"nobody called {other} is merged into {name}")
    count = result.moved_count + result.shared_photo_count
    _tell(result, f"{other} is enrolled again: {count} templates", as_json=as_json)


def _tell(result: Merged, text: str, *, as_json: bool) -> NoReturn:
    """What was done; as JSON also that nothing was."""
    if result.found or as_json:
        print_result(result, text, as_json=as_json)
    exit_with(answer=result.found)
