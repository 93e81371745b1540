"""facekit quality"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    detector_options,
    image_options,
    json_option,
    min_quality_option,
    offline_option,
    photos_argument,
    rotate_option,
    threads_option,
)
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.requests import pipeline_request
from facekit.enums import FacePolicy

if TYPE_CHECKING:
    from facekit.pipeline.photos import PhotoFailure
    from facekit.tasks.quality import RatedPhoto


@click.command(cls=Command, basic="face min-quality quality-model detector json")
@photos_argument()
@click.option(
    "--face",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.ALL.value,
    help="Which face of a photo to rate; verify and enroll take the largest.",
)
@min_quality_option("The exit code is 1 where one is poorer.")
@click.option(
    "--quality-model",
    metavar="MODEL",
    help="A network that gives QUALITY: NAME, NAME:VARIANT, or a file with its card.",
    show_default="facekit's formula",
)
@detector_options
@rotate_option
@image_options
@threads_option
@offline_option
@json_option
def quality(
    photos: tuple[str, ...],
    min_quality: float | None,
    quality_model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Rate how well the faces in photos can be recognized.

    QUALITY is the probability, in percent, that the face matches a good photo of the same
    person.  The two lowest components stand beside it, after ISO/IEC 29794-5; --json has all of
    them.  Every number is 0 (worst) to 100 (best).

    With --quality-model, QUALITY is what a network says, such as eDifFIQA; facekit models import
    installs one.

    \b
    Example: facekit quality a.jpg
             facekit quality --min-quality 80 --json photos/
             facekit quality --quality-model ediffiqa photos/
    """
    from facekit.cli.render.people import rated_rows, rated_table
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import quality as task

    shown = rated_table()
    ratings = task.rate(
        photos,
        request=pipeline_request(None, **options),
        min_quality=min_quality,
        quality_model=quality_model,
        reporter=TerminalReporter(),
    )
    rated: list[RatedPhoto] = []
    failures: list[PhotoFailure] = []
    for result in ratings.results:
        if not isinstance(result, task.RatedPhoto):
            failures.append(result)
            continue
        rated.append(result)
        if not as_json:
            for row in rated_rows(result):
                shown.echo(*row)
    if as_json:
        emit_json(
            {
                "detector": ratings.detector,
                "min_quality": min_quality,
                "quality_model": ratings.quality_model,
                "photos": [photo.to_dict() for photo in rated],
                "failed": [failure.to_dict() for failure in failures],
            }
        )
    exit_with((failure.error for failure in failures), answer=all(map(bool, rated)))
