"""facekit detect"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
    json_option,
    model_option,
    offline_option,
    photos_argument,
    rotate_option,
    threads_option,
)
from facekit.cli.output_options import force_option
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.render.table import Column, StreamedTable, number
from facekit.cli.requests import pipeline_request
from facekit.cli.types import FOLDER
from facekit.enums import FacePolicy

if TYPE_CHECKING:
    from facekit.pipeline.photos import PhotoFailure
    from facekit.tasks.detect import DetectedPhoto


@click.command(cls=Command, basic="face detector save-crops draw json")
@photos_argument()
@click.option("--save-crops", type=FOLDER, help="Write the crops that the model would see here.")
@click.option("--draw", type=FOLDER, help="Write the photos with boxes and landmarks here.")
@force_option("what is in these folders under the same names")
@click.option(
    "--face",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.ALL.value,
    help="Which face of a photo to report; verify and embed take the largest.",
)
@detector_options
@rotate_option
@model_option
@crop_options
@image_options
@threads_option
@offline_option
@json_option
def detect(
    photos: tuple[str, ...],
    save_crops: Path | None,
    draw: Path | None,
    force: bool,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the faces in photos.

    A photo that cannot be read, or has no face, is reported, and the others go on; the exit
    code is then that of the first such photo.  --model names the detector where --detector does
    not; with the crop options it says what --save-crops writes.

    \b
    Example: facekit detect group.jpg
             facekit detect --json --save-crops crops/ --draw drawn/ photos/
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import detect as task

    shown = StreamedTable(
        *(number("FACE"), number("SCORE", 6)),
        *(number(side, 5) for side in ("X1", "Y1", "X2", "Y2")),
        Column("PHOTO"),
    )
    detection = task.detect(
        photos,
        request=pipeline_request(model, **options),
        crops=save_crops,
        drawings=draw,
        force=force,
        reporter=TerminalReporter(),
    )
    found: list[DetectedPhoto] = []
    failures: list[PhotoFailure] = []
    for result in detection.results:
        if not isinstance(result, task.DetectedPhoto):
            failures.append(result)
        elif as_json:
            found.append(result)
        else:
            for index, face in enumerate(result.located.selected):
                box = (f"{side:.0f}" for side in face.box_xyxy.tolist())
                turn = face.rotation_degrees
                name = result.located.picture.name + (f" (turn by {turn} degrees)" if turn else "")
                shown.echo(str(index), f"{face.score:.4f}", *box, name)
    if as_json:
        emit_json(
            {
                "detector": detection.detector,
                "photos": [photo.to_dict() for photo in found],
                "failed": [failure.to_dict() for failure in failures],
            }
        )
    exit_with(failure.error for failure in failures)
