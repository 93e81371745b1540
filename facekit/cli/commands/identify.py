"""facekit identify"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import EnumChoice, embedding_options, json_option, photos_argument
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.render.people import identified_rows, identified_table, threshold_text
from facekit.cli.threshold_options import RATE, min_margin_option, threshold_options
from facekit.cli.types import Whole
from facekit.enums import PersonRule

if TYPE_CHECKING:
    from facekit.tasks.gallery import GalleryLocation
    from facekit.tasks.identify import IdentifiedPhoto
    from facekit.template.threshold import ThresholdChoice


@click.command(cls=Command, basic="gallery top face fpir threshold min-margin json")
@photos_argument()
@click.option(
    "--top",
    metavar="N",
    type=Whole(1),
    default=5,
    help="List the N most alike people of a face.",
)
@threshold_options()
@click.option(
    "--fpir",
    type=RATE,
    help="Threshold by the gallery's size: at most this share of unknown faces is predicted to "
    "be found.",
    show_default="0.01, or the strictest that the card has",
)
@min_margin_option
@click.option(
    "--by",
    type=EnumChoice(PersonRule),
    default=PersonRule.BEST.value,
    help="Compare with a person's best template, or with their mean.",
)
@gallery_options
@embedding_options
@json_option
def identify(
    photos: tuple[str, ...],
    top: int,
    choice: ThresholdChoice,
    fpir: float | None,
    min_margin: float | None,
    by: PersonRule,
    location: GalleryLocation,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Name the people in photos by the gallery.

    Exit code 0 when every face is known, 1 when one is unknown, 3 when one is ambiguous: two
    people are about as similar.

    A photo that cannot be used is reported, and the others go on; the exit code is then that
    of the first such photo.

    \b
    Example: facekit identify somebody.jpg
             facekit identify --face all --fpir 0.001 --json group.jpg
    """
    from facekit.cli.requests import open_set_choice, pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.identify import identify as identify_faces

    shown = identified_table()

    def show(photo: IdentifiedPhoto) -> None:
        if not as_json:
            for row in identified_rows(photo):
                shown.echo(*row)

    result = identify_faces(
        photos,
        location=location,
        request=pipeline_request(model, **options),
        threshold=open_set_choice(choice, fpir, min_margin),
        by=by,
        top=top,
        on_photo=show,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(threshold_text(result))
    failures = [failure.error for failure in result.failures]
    exit_with([*failures, *result.ambiguous], answer=result.all_known)
