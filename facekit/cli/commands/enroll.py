"""facekit enroll"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import embedding_options, json_option
from facekit.cli.render.output import emit_json, exit_of

if TYPE_CHECKING:
    from facekit.tasks.enroll import Enrolment
    from facekit.tasks.gallery import GalleryLocation


@click.command(cls=Command, basic="from-dir gallery face model json")
@click.argument("name", required=False)
@click.argument("images", nargs=-1)
@click.option(
    "--from-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Enroll everybody: one folder a person, named after the person.",
)
@gallery_options
@embedding_options
@json_option
def enroll(
    name: str | None,
    images: tuple[str, ...],
    from_dir: Path | None,
    location: GalleryLocation,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Add people to the gallery from their photos.

    Each person is enrolled as a whole: whatever stops the command, those that it has told of
    are in the gallery, and no other.  Photos that are there already are passed over, so that
    the command can be repeated.  A photo that cannot be used is reported, and the others
    count; the exit code is then that of the first such photo.

    \b
    Example: facekit enroll "Ada Lovelace" ada1.jpg ada2.jpg
             facekit enroll --from-dir people/
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.enroll import enroll as enroll_people

    result = enroll_people(
        name,
        images,
        from_dir=from_dir,
        location=location,
        request=pipeline_request(model, **options),
        on_person=lambda person: None if as_json else _print(person),
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(result.to_dict())
    exit_of([failure.error for failure in result.failures])


def _print(person: Enrolment) -> None:
    click.echo(f"{person.name}\t{person.added} added, {person.known} known already")
