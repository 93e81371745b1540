"""What eval-lfw and calibrate share: their data options and the embedding of the photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import (
    AnyCommand,
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
)
from facekit.enums import FacePolicy

if TYPE_CHECKING:
    from facekit.evaluate.lfw import LfwFolder
    from facekit.evaluate.pairs import PairList
    from facekit.evaluate.photo_embeddings import PhotoEmbeddings
    from facekit.models.store import InstalledModel


def evaluation_options(*, default_protocol: str) -> Callable[[AnyCommand], AnyCommand]:
    """--data, --protocol, --pairs, --face, the detector's and the crop's options, --workers."""

    def decorate(command: AnyCommand) -> AnyCommand:
        for option in reversed(
            (
                click.option(
                    "--data",
                    type=click.Path(path_type=Path, file_okay=False),
                    envvar="FACEKIT_LFW",
                    help="Folder of photos, Name/Name_0001.jpg as in LFW.",
                ),
                click.option(
                    "--protocol",
                    default=default_protocol,
                    show_default=True,
                    help="devtrain, devtest, view2, fold1, or a pair list's path.",
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
                detector_options,
                crop_options,
                image_options,
            )
        ):
            command = option(command)
        return command

    return decorate


def open_pairs(
    *, data: Path | None, protocol: str, pairs_file: Path | None, **_rest: Any
) -> tuple[PairList, LfwFolder]:
    """The pair list and the photos it names, all of which are there.

    Raises InputError or PairListError that say what to put where.
    """
    from facekit.evaluate.lfw import LfwFolder, Protocol, find_lfw, locate_data, read_protocol
    from facekit.evaluate.pairs import read_pairs, require_photos

    if pairs_file is None and protocol not in {one.value for one in Protocol}:
        pairs_file = Path(protocol)
    if pairs_file is None:
        folder = find_lfw(locate_data(data))
        pair_list = read_protocol(folder, Protocol(protocol))
    else:
        pair_list = read_pairs(pairs_file)
        folder = LfwFolder(data, ()) if data is not None else LfwFolder(pairs_file.parent, ())
    require_photos(pair_list, folder.photos_dir)
    return pair_list, folder


def embed_with_progress(
    model: InstalledModel,
    pair_list: PairList,
    folder: LfwFolder,
    *,
    workers: int | None,
    mirrored: bool = False,
    **options: Any,
) -> PhotoEmbeddings:
    """Embeddings of the list's photos, from the cache or by workers, with a bar on a terminal."""
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.pipeline import chosen_crop, locate_options
    from facekit.cli.progress import with_progress
    from facekit.evaluate.photo_embeddings import EmbedSettings, embed_photos
    from facekit.models.registry import DETECTOR
    from facekit.parallel import available_cores

    ensure_installed(DETECTOR)

    def progress(results: Iterator[Any], total: int) -> Iterator[Any]:
        return with_progress(results, length=total, label="embedding")

    return embed_photos(
        [folder.photos_dir / photo.path for photo in pair_list.photos],
        model,
        EmbedSettings(
            locate=locate_options(threads=1, **options),
            crop=chosen_crop(model.card, options),
            mirrored=mirrored,
        ),
        workers=workers or available_cores(),
        progress=progress,
    )
