"""facekit detect"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    threads_option,
)
from facekit.cli.render.output import emit_json, exit_of
from facekit.cli.requests import pipeline_request
from facekit.enums import FacePolicy

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(cls=Command, basic="face detector crops draw json")
@click.argument("images", nargs=-1, required=True)
@click.option("--crops", type=_FOLDER, help="Write the crops that the model would see here.")
@click.option("--draw", type=_FOLDER, help="Write the pictures with boxes and landmarks here.")
@click.option(
    "--face",
    "face_policy",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.ALL.value,
    show_default=True,
    help="Which faces to report; verify and embed take the largest.",
)
@detector_options
@model_option
@crop_options
@image_options
@threads_option
@offline_option
@json_option
def detect(
    images: tuple[str, ...],
    crops: Path | None,
    draw: Path | None,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the faces in photos.

    A photo that cannot be read, or has no face, is reported, and the others go on; the exit
    code is then that of the first such photo.  --model names the detector where --detector does
    not; with the crop options it says what --crops are.

    \b
    Example: facekit detect group.jpg
             facekit detect --json --crops crops/ --draw drawn/ photos/
    """
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import detect as task

    records: list[dict[str, Any]] = []
    failures = []
    for result in task.detect(
        images,
        request=pipeline_request(model, **options),
        crops=crops,
        drawings=draw,
        reporter=TerminalReporter(),
    ):
        record = result.to_dict()
        if not isinstance(result, task.DetectedPhoto):
            failures.append(result.error)
        elif not as_json:
            _print(record)
        if as_json:
            records.append(record)
    if as_json:
        emit_json({"images": records})
    exit_of(failures)


def _print(record: dict[str, Any]) -> None:
    """One line a face: picture, box corners, score."""
    for face in record["faces"]:
        x1, y1, x2, y2 = face["box_xyxy"]
        click.echo(
            f"{record['image']}\t{x1:.0f},{y1:.0f},{x2:.0f},{y2:.0f}\tscore {face['score']:.4f}"
        )
