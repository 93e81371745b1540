"""facekit align-dataset"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    detector_options,
    image_options,
    json_option,
    offline_option,
    parallel_options,
)
from facekit.cli.output_options import force_option, output_folder
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.types import FOLDER, PixelSize, Real, Words
from facekit.enums import CropFormat, CropRule, FacePolicy, ResizeFilter


@click.command("align-dataset", cls=Command, basic="data output crop size workers force json")
@click.option(
    "--data",
    type=FOLDER,
    required=True,
    help="Folder of photos, a folder a person.",
)
@output_folder("For the crops, a folder a person.", required=True)
@click.option(
    "--crop",
    type=Words([CropRule.MARGIN.value, CropRule.SIMILARITY.value]),
    default=CropRule.MARGIN.value,
    help="The rule from face to crop: the box with a margin (FaceNet), or five landmarks "
    "onto a template (SphereFace).",
)
@click.option(
    "--size",
    type=PixelSize(),
    help="Height and width of the crops.",
    show_default="182; with --crop similarity 128x112",
)
@click.option(
    "--margin",
    metavar="PIXELS",
    type=Real(0),
    help="Pixels of the crop outside the box, both sides together.",
    show_default="44; with --crop similarity 14",
)
@click.option(
    "--face",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.CENTER.value,
    help="Which face of a photo is meant: center is facenet's, large and central.",
)
@click.option(
    "--resize-filter",
    type=EnumChoice(ResizeFilter),
    default="bilinear",
    help="Filter of the crop's resize.",
)
@click.option(
    "--crop-format",
    type=Words(["png", "jpg"]),
    default="png",
    help="png is lossless; jpg has quality 95.",
)
@parallel_options
@force_option("all that is in -o: align every photo again")
@click.option("--retry-failed", is_flag=True, help="Look again at the photos in failures.csv.")
@click.option(
    "--allow-failed",
    metavar="SHARE",
    type=Real(0, 1),
    default=0.0,
    help="Exit with 0 where at most this share of the photos failed.",
)
@detector_options
@image_options
@offline_option
@json_option
def align_dataset(
    data: Path,
    output: Path,
    crop: str,
    size: tuple[int, int] | None,
    margin: float | None,
    face: FacePolicy,
    resize_filter: ResizeFilter,
    crop_format: str,
    workers: int | None,
    ray: str | None,
    force: bool,
    retry_failed: bool,
    allow_failed: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Crop the faces of labeled photos for training.

    --data holds a folder a person; -o gets the same folders with a crop a photo.

    Run it again after an interruption: it goes on where it was.  Photos that gave no crop are in
    failures.csv there; the exit code is then that of the first of them.

    \b
    Example: facekit align-dataset --data photos/ -o aligned/
             facekit align-dataset --data photos/ -o aligned/ --crop similarity --workers 8
    """
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.align_dataset import align_dataset as align

    report = align(
        data,
        output,
        crop=CropRule(crop),
        size_px=size,
        margin_px=margin,
        resize_filter=resize_filter,
        locate=pipeline_request(face=face, **options).locate_options,
        crop_format=CropFormat(crop_format),
        workers=workers,
        ray=ray,
        force=force,
        retry_failed=retry_failed,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(report.to_dict())
    else:
        click.echo(
            f"{report.aligned_count + report.kept_count} of {report.photo_count} photos of "
            f"{report.people_count} people aligned in {output}"
            + (f", {report.kept_count} of them earlier" if report.kept_count else "")
        )
    failures = report.failures
    if failures:
        note_error(f"{len(failures)} photos failed, see {report.failures_file}; the first: "
             f"{failures[0].name}: {failures[0].error}")  # fmt: skip
    if len(failures) > allow_failed * report.photo_count:
        exit_with(failure.error for failure in failures)
