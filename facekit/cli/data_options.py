"""The options that eval-lfw and calibrate share: which photos and pairs, and how they are read."""

from __future__ import annotations

from collections.abc import Callable

import click

from facekit.cli.device_options import runtime_option
from facekit.cli.options import (
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
    offline_option,
    parallel_options,
)
from facekit.cli.types import FILE, FOLDER, AnyCommand
from facekit.enums import FacePolicy


def evaluation_options(*, default_protocol: str | None) -> Callable[[AnyCommand], AnyCommand]:
    """Photos and pairs, workers, and how a photo is read, searched and cropped."""

    def decorate(command: AnyCommand) -> AnyCommand:
        for option in reversed(
            (
                click.option(
                    "--data",
                    type=FOLDER,
                    envvar="FACEKIT_LFW",
                    help="Folder of photos, a folder a person; for LFW Name/Name_0001.jpg.",
                ),
                click.option(
                    "--protocol",
                    metavar="NAME",
                    default=default_protocol,
                    help="devtrain, devtest, view1, view2, fold1 of LFW; folders for people of "
                    "your own; or a pair list's path.",
                ),
                click.option(
                    "--pairs",
                    type=FILE,
                    help="A pair list (LFW's format or CSV a,b,same) instead of --protocol.",
                ),
                click.option(
                    "--face",
                    type=EnumChoice(FacePolicy),
                    default=FacePolicy.CENTER.value,
                    help="Which face of a photo is meant; LFW's people stand in the center.",
                ),
                parallel_options,
                runtime_option,
                detector_options,
                crop_options,
                image_options,
                offline_option,
            )
        ):
            command = option(command)
        return command

    return decorate
