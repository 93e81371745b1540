"""Which photos integers are calibrated on: what convert, quantize and export share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import EnumChoice, detector_options, image_options, offline_option
from facekit.cli.types import AnyCommand, Whole
from facekit.enums import FacePolicy, RangeRule

if TYPE_CHECKING:
    from facekit.tasks.convert import CalibrationPhotos


def calibration_options(command: AnyCommand) -> AnyCommand:
    """Which photos, which faces of them, and the rule that makes ranges of them."""
    for decorate in reversed(
        (
            click.option(
                "--calibration",
                type=click.Path(path_type=Path),
                help="Photos to calibrate on: a folder, a text file with one a line, a pair list, "
                "or a .bin file.",
                show_default="what ships with facekit",
            ),
            click.option(
                "--calibration-count",
                metavar="N",
                type=Whole(1),
                default=400,
                help="Use at most so many of them, spread over the people (folders).",
            ),
            click.option(
                "--seed",
                metavar="N",
                type=Whole(),
                help="Seed of the random choice among the photos.",
                show_default="a fixed one",
            ),
            click.option(
                "--range-rule",
                type=EnumChoice(RangeRule),
                help="The rule from an activation's values to its range.",
                show_default="the recipe's",
            ),
            click.option(
                "--face",
                type=EnumChoice(FacePolicy),
                default=FacePolicy.LARGEST.value,
                help="Which face of a photo is meant, of those to calibrate on.",
            ),
            detector_options,
            image_options,
            offline_option,
        )
    ):
        command = decorate(command)
    return command


def calibration_photos(
    *, calibration: Path | None, calibration_count: int, seed: int | None, **options: Any
) -> CalibrationPhotos:
    """Of `calibration_options`, but for the rule."""
    from facekit.cli.requests import pipeline_request
    from facekit.tasks.convert import CalibrationPhotos

    return CalibrationPhotos(
        source=calibration,
        count=calibration_count,
        seed=seed,
        locate=pipeline_request(**options).locate_options,
    )
