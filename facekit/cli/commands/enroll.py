"""facekit enroll"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import (
    EnumChoice,
    embedding_options,
    json_option,
    photos_argument,
)
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.render.table import Column, StreamedTable, number
from facekit.cli.types import FOLDER
from facekit.enums import QualityGate

if TYPE_CHECKING:
    from facekit.tasks.enroll import Enrolment
    from facekit.tasks.gallery import GalleryLocation


@click.command(cls=Command, basic="data quality gallery face model json")
@click.argument("name", required=False)
@photos_argument(required=False)
@click.option(
    "--data",
    type=FOLDER,
    help="Enroll everybody: a folder of photos, a folder a person, named after the person.",
)
@click.option(
    "--quality",
    type=EnumChoice(QualityGate),
    default=QualityGate.STANDARD.value,
    help="Which faces are refused: strict, of a unified quality score below 90; standard, below "
    "50, which would be missed later more often than found; off, none.",
)
@gallery_options
@embedding_options
@json_option
def enroll(
    name: str | None,
    photos: tuple[str, ...],
    data: Path | None,
    quality: QualityGate,
    location: GalleryLocation,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Add people to the gallery from their photos.

    Each person is enrolled as a whole: whatever stops the command, those that it has told of
    are in the gallery, and no other.  Photos that are there already are passed over, so that
    the command can be repeated.  A photo that cannot be used is reported, and the others
    count; the exit code is then that of the first such photo.  Says where a new person is so
    similar to another that identify may take one for the other: gallery merge makes them one.

    \b
    Example: facekit enroll "Ada Lovelace" ada1.jpg ada2.jpg
             facekit enroll --data people/
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.enroll import enroll as enroll_people

    shown = StreamedTable(number("ADDED"), number("ALREADY ENROLLED"), Column("NAME"))

    def show(person: Enrolment) -> None:
        if not as_json:
            shown.echo(str(person.added_count), str(person.already_enrolled_count), person.name)

    result = enroll_people(
        name,
        photos,
        data=data,
        quality=quality,
        location=location,
        request=pipeline_request(model, **options),
        on_person=show,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(result.to_dict())
    exit_with([failure.error for failure in result.failures])
