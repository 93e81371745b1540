"""Options that mean the same in every command, as decorators."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import click

from facekit.cli.device_options import accelerator_options
from facekit.cli.types import FOLDER, AnyCommand, Real, Whole
from facekit.cli.types import EnumChoice as EnumChoice  # so named by many
from facekit.enums import CropRule, FacePolicy, Liveness, ResizeFilter, Rotate

_OFFLINE = "FACEKIT_OFFLINE"
MOST_THREADS = 1024
"""Of threads and of worker processes, that may be asked for."""
DEFAULT_MODEL = "facenet512-casia, or as configured"
"""What help pages say of the default; facekit/model/defaults.py says what it is."""


def _remember_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value:
        ctx.meta["facekit.json"] = True
    return value


def _stay_offline(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """For the command and the processes that it starts: what fetches asks the environment."""
    if value:
        before = os.environ.get(_OFFLINE)
        os.environ[_OFFLINE] = "1"
        ctx.call_on_close(partial(_restore, before))


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(_OFFLINE, None)
    else:
        os.environ[_OFFLINE] = before


def _json_option(help_text: str) -> Callable[[AnyCommand], AnyCommand]:
    return click.option("--json", "as_json", is_flag=True, callback=_remember_json, help=help_text)


json_option = _json_option("Write JSON to stdout.")
json_lines_option = _json_option("Write JSON Lines to stdout: an object on a line.")
model_option = click.option(
    "--model",
    metavar="MODEL",
    show_default=DEFAULT_MODEL,
    help="Registry name, NAME:VARIANT, or a .tflite or .onnx file with its card beside it.",
)
offline_option = click.option(
    "--offline",
    is_flag=True,
    envvar=_OFFLINE,
    expose_value=False,
    callback=_stay_offline,
    help="Never use the network: what is missing is exit code 5.",
)

face_option = click.option(
    "--face",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.LARGEST.value,
    help="Which face of a photo is meant.",
)
no_detect_option = click.option(
    "--no-detect", is_flag=True, help="The photos are face crops: skip detection."
)


detector_option = click.option(
    "--detector",
    metavar="NAME",
    help="What finds faces: mtcnn, yunet, NAME:VARIANT, or a file with its card.",
    show_default="what the model's card names",
)


rotate_option = click.option(
    "--rotate",
    type=EnumChoice(Rotate),
    default=Rotate.OFF.value,
    help="auto: where no face is surely upright, look on the photo turned by 90, 180 and 270 "
    "degrees too.",
)


def detector_options(command: AnyCommand) -> AnyCommand:
    """Which detector looks for faces, and its settings."""
    for decorate in reversed(
        (
            detector_option,
            click.option(
                "--min-face",
                metavar="PIXELS",
                type=Real(0),
                help="Smallest face side searched for, in pixels.",
                show_default="mtcnn 20, yunet 10",
            ),
            click.option(
                "--min-score",
                metavar="SCORE",
                type=Real(0, 1),
                help="yunet: least score of a face.",
                show_default="0.6",
            ),
            click.option(
                "--stage-thresholds",
                type=(Real(0, 1),) * 3,
                metavar="SCORE SCORE SCORE",
                help="mtcnn: face probability that each of the three stages asks for.",
                show_default="0.6 0.7 0.7",
            ),
            click.option(
                "--scale-factor",
                metavar="RATIO",
                type=Real(0, 0.95, min_open=True),  # closer to 1 there are thousands of levels
                help="mtcnn: ratio of neighboring pyramid levels.",
                show_default="0.709",
            ),
            click.option(
                "--search-side",
                metavar="PIXELS",
                type=Whole(),
                help="Search larger photos on a copy with this long side; 0 for full size.",
                show_default="mtcnn 720, yunet 640",
            ),
        )
    ):
        command = decorate(command)
    return command


bundle_option = click.option(
    "--bundle",
    type=FOLDER,
    help="Folder of an unpacked bundle: use its models and no others.",
)


def min_quality_option(help_text: str) -> Callable[[AnyCommand], AnyCommand]:
    """--min-quality: what happens below it, in a sentence."""
    return click.option(
        "--min-quality",
        type=Real(0, 100),
        metavar="SCORE",
        help=f"Least unified quality score of a face, 0 to 100. {help_text}",
    )


def liveness_options(command: AnyCommand) -> AnyCommand:
    """What is done about presentation attacks, and which model detects them."""
    for decorate in reversed(
        (
            click.option(
                "--liveness",
                type=EnumChoice(Liveness),
                default=Liveness.OFF.value,
                help="Presentation attack detection: report tells what a detector takes each face "
                "for; require ends with exit code 3 where that is not bona fide.",
            ),
            liveness_model_option,
        )
    ):
        command = decorate(command)
    return command


liveness_model_option = click.option(
    "--liveness-model",
    metavar="MODEL",
    help="The presentation attack detector: NAME, NAME:VARIANT, or a file with its card.",
)


def embedding_options(command: AnyCommand) -> AnyCommand:
    """All that says how a photo becomes an embedding."""
    for decorate in reversed(
        (
            model_option,
            face_option,
            no_detect_option,
            detector_options,
            rotate_option,
            crop_options,
            image_options,
            threads_option,
            accelerator_options,
            bundle_option,
            offline_option,
        )
    ):
        command = decorate(command)
    return command


def crop_options(command: AnyCommand) -> AnyCommand:
    """Deviations from the card's crop rule."""
    for decorate in reversed(
        (
            click.option(
                "--crop",
                type=EnumChoice(CropRule),
                help="The rule from face to crop, in place of the model card's.",
            ),
            click.option(
                "--margin",
                metavar="PIXELS",
                type=Real(0),
                help="Pixels of the crop outside the box, both sides together.",
            ),
            click.option(
                "--resize-filter",
                type=EnumChoice(ResizeFilter),
                help="Filter of the crop's resize.",
            ),
        )
    ):
        command = decorate(command)
    return command


def image_options(command: AnyCommand) -> AnyCommand:
    """Limits that a photo is checked against before it is decoded."""
    return click.option(
        "--max-megapixels",
        metavar="NUMBER",
        type=Real(0, min_open=True),
        default=100,
        help="Refuse larger photos before decoding them.",
    )(command)


def threads_option(command: AnyCommand) -> AnyCommand:
    return click.option(
        "--threads",
        metavar="N",
        type=Whole(1, MOST_THREADS),
        envvar="FACEKIT_THREADS",
        help="Threads a network may use.",
        show_default="the cores that this process may run on",
    )(command)


def parallel_options(command: AnyCommand) -> AnyCommand:
    """How many processes embed, and where."""
    for decorate in reversed(
        (
            click.option(
                "--workers",
                metavar="N",
                type=Whole(1, MOST_THREADS),
                help="Worker processes, each with its own networks of one thread.",
                show_default="1 for few photos, else the cores that this process may run on, or "
                "the Ray cluster's",
            ),
            click.option(
                "--ray",
                metavar="ADDRESS",
                help="Run the workers on a Ray cluster: ray://HOST:PORT, auto, or local.  Its "
                "nodes need the photos and models at the same paths.",
            ),
        )
    ):
        command = decorate(command)
    return command


def photos_argument(
    *, required: bool = True, metavar: str = "PHOTO..."
) -> Callable[[AnyCommand], AnyCommand]:
    """Photos, and folders that stand for all photos below them; - is standard input."""
    return click.argument(
        "photos",
        nargs=-1,
        required=required,
        metavar=metavar if required or metavar.startswith("[") else f"[{metavar}]",
        type=click.Path(path_type=str, allow_dash=True, readable=False),
    )
