"""What eval-lfw and calibrate share: their data options and the embedding of the photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import (
    AnyCommand,
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
    runtime_option,
)
from facekit.enums import FacePolicy

if TYPE_CHECKING:
    from facekit.evaluate.embeddings import PhotoEmbeddings
    from facekit.evaluate.photo_crop import EmbedSettings
    from facekit.model.card import Card
    from facekit.model.store import InstalledModel


def evaluation_options(*, default_protocol: str | None) -> Callable[[AnyCommand], AnyCommand]:
    """--data, --protocol, --pairs, --face, --workers, --runtime, the detector's and the crop's."""

    def decorate(command: AnyCommand) -> AnyCommand:
        for option in reversed(
            (
                click.option(
                    "--data",
                    type=click.Path(path_type=Path, file_okay=False),
                    envvar="FACEKIT_LFW",
                    help="Folder of photos, a folder a person; for LFW Name/Name_0001.jpg.",
                ),
                click.option(
                    "--protocol",
                    default=default_protocol,
                    show_default=default_protocol is not None,
                    help="devtrain, devtest, view1, view2, fold1 of LFW; folders for people of "
                    "your own; or a pair list's path.",
                ),
                click.option(
                    "--pairs",
                    "pairs_file",
                    type=click.Path(path_type=Path, dir_okay=False),
                    help="A pair list (LFW's format or CSV a,b,same) instead of --protocol.",
                ),
                click.option(
                    "--face",
                    "face_policy",
                    type=EnumChoice(FacePolicy),
                    default=FacePolicy.CENTER.value,
                    show_default=True,
                    help="Which face of a photo is meant; LFW's people stand in the centre.",
                ),
                click.option(
                    "--workers",
                    type=click.IntRange(min=1),
                    help="Worker processes; default: the cores this process may run on.",
                ),
                runtime_option,
                detector_options,
                crop_options,
                image_options,
            )
        ):
            command = option(command)
        return command

    return decorate


def embed_settings(card: Card, options: dict[str, Any]) -> EmbedSettings:
    """What evaluation_options say of how a photo becomes a vector."""
    from facekit.cli.open_pipeline import chosen_crop, locate_options
    from facekit.enums import Flip
    from facekit.evaluate.photo_crop import EmbedSettings

    return EmbedSettings(
        locate=locate_options(threads=1, **options),
        crop=chosen_crop(card, options),
        mirrored=card.flip is not Flip.NONE,
    )


def embed_with_progress(
    paths: Sequence[Path],
    model: InstalledModel,
    settings: EmbedSettings,
    *,
    workers: int,
    recompute: bool = False,
) -> PhotoEmbeddings:
    """Embeddings from the cache or by workers, with a bar on a terminal."""
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.terminal import with_progress
    from facekit.enums import CropRule
    from facekit.evaluate.embeddings import embed_photos
    from facekit.model.registry import DETECTOR

    if settings.crop_of(model).rule is not CropRule.NONE:
        ensure_installed(DETECTOR)

    def progress(results: Iterator[Any], total: int) -> Iterator[Any]:
        label = f"{model.card.name}:{model.card.variant}"
        return with_progress(results, length=total, label=label)

    return embed_photos(
        paths, model, settings, workers=workers, recompute=recompute, progress=progress
    )


def worker_count(workers: int | None) -> int:
    """--workers, or the cores this process may run on."""
    from facekit.system.processes import available_cores

    return workers or available_cores()
