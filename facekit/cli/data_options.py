"""The options that evaluate, eval-lfw and calibrate share: which pairs, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from facekit.cli.device_options import accelerator_options
from facekit.cli.options import (
    DEFAULT_MODEL,
    MOST_THREADS,
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
    json_option,
    offline_option,
    parallel_options,
)
from facekit.cli.output_options import force_option, output_folder
from facekit.cli.types import FILE, AnyCommand, Real, Whole
from facekit.enums import FacePolicy, Flip, Profile

DATA = click.Path(path_type=Path, exists=False)
"""A folder, a .bin file or a pair list."""

data_option = click.option(
    "--data",
    type=DATA,
    envvar="FACEKIT_LFW",
    help="Labeled photos: LFW, a folder a person, a .bin file, or a pair list.",
)
pairs_option = click.option(
    "--pairs",
    type=FILE,
    help="A pair list (LFW's format, or a table a,b,same) instead of --protocol; its photos are "
    "beside it or in --data.",
)


def protocol_option(shown_default: str) -> Callable[[AnyCommand], AnyCommand]:
    return click.option(
        "--protocol",
        metavar="NAME",
        show_default=shown_default,
        help="devtrain, devtest, view1, view2, fold1 of LFW; folders for people of your own.",
    )


def reading_options(command: AnyCommand) -> AnyCommand:
    """Workers, and how a photo is read, searched and cropped."""
    for option in reversed(
        (
            click.option(
                "--face",
                type=EnumChoice(FacePolicy),
                default=FacePolicy.CENTER.value,
                help="Which face of a photo is meant; LFW's people stand in the center.",
            ),
            parallel_options,
            detector_options,
            crop_options,
            image_options,
            offline_option,
        )
    ):
        command = option(command)
    return command


def identification_options(command: AnyCommand) -> AnyCommand:
    for option in reversed(
        (
            click.option(
                "--identification",
                is_flag=True,
                help="Also enroll people and search for their other photos, and for strangers.",
            ),
            click.option(
                "--gallery-size",
                "gallery_sizes",
                type=Whole(2),
                metavar="N",
                multiple=True,
                show_default="half of those with enough photos",
                help="People in the gallery where others are unknown; may be repeated.",
            ),
            click.option(
                "--enrolled-photos",
                type=Whole(1),
                metavar="N",
                show_default="1",
                help="Photos that are enrolled of each person.",
            ),
            click.option(
                "--draws",
                type=Whole(1),
                metavar="N",
                show_default="6",
                help="How often the enrolled people are drawn.",
            ),
            click.option(
                "--seed",
                type=Whole(),
                metavar="N",
                show_default="0",
                help="Seed of the random choice of the enrolled people.",
            ),
        )
    ):
        command = option(command)
    return command


def evaluation_options(command: AnyCommand) -> AnyCommand:
    """All options of evaluate and eval-lfw but those that say which data."""
    for option in reversed(
        (
            click.option(
                "--model",
                "models",
                metavar="MODEL",
                multiple=True,
                show_default=DEFAULT_MODEL,
                help="Registry name, NAME:VARIANT, or a .tflite or .onnx file; give it again to "
                "compare models.",
            ),
            click.option(
                "--profile",
                type=EnumChoice(Profile),
                help="Evaluate as this system's authors do; sets --protocol and what else is not "
                "given.",
            ),
            click.option(
                "--flip",
                type=EnumChoice(Flip),
                help="What is done with the mirrored crop's embedding.",
                show_default="what the profile's authors do, else what the model's card says",
            ),
            click.option(
                "--subtract-mean",
                is_flag=True,
                help="Center by the mean of the training pairs instead of the card's.",
            ),
            click.option(
                "--all-pairs",
                is_flag=True,
                help="Also score every pair of the photos, for low FMRs.",
            ),
            identification_options,
            click.option(
                "--groups",
                type=FILE,
                help="Also the error rates of groups of people: a table photo,group or "
                "person,group.",
            ),
            click.option(
                "--limit",
                type=Whole(1),
                metavar="N",
                help="Only the first N pairs of each kind of every fold.",
            ),
            click.option(
                "--recompute",
                is_flag=True,
                help="Embed every photo again, so that times are measured.",
            ),
            click.option(
                "--assert-accuracy",
                type=Real(0, 1, min_open=True),
                metavar="SHARE",
                help="Exit with 1 where a result is below this share (0..1), failures counted as "
                "errors.",
            ),
            reading_options,
            click.option(
                "--threads",
                metavar="N",
                type=Whole(1, MOST_THREADS),
                envvar="FACEKIT_THREADS",
                help="Threads a network may use; there are as many fewer workers.",
                show_default="1",
            ),
            accelerator_options,
            output_folder("Folder for report.html, report.json, pairs.csv and the figures."),
            force_option("an earlier report in -o"),
            json_option,
        )
    ):
        command = option(command)
    return command
