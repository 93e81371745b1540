"""facekit cluster"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    embedding_options,
    json_option,
    photos_argument,
)
from facekit.cli.output_options import force_option
from facekit.cli.render.output import emit_json, exit_with
from facekit.cli.render.people import note_least_similarity, print_groups
from facekit.cli.threshold_options import threshold_options
from facekit.cli.types import FOLDER
from facekit.enums import ClusterMethod
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.template.threshold import ThresholdChoice


@click.command(cls=Command, basic="face copy-to sheets method threshold csv json")
@photos_argument()
@click.option(
    "--method",
    type=EnumChoice(ClusterMethod),
    default=ClusterMethod.AGGLOMERATIVE.value,
    help="hdbscan has no threshold.",
)
@threshold_options(default="1e-3")
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV: group, photo, face, box.")
@click.option(
    "--copy-to",
    type=FOLDER,
    help="Copy the photos here, into a folder a group.",
)
@click.option(
    "--sheets",
    type=FOLDER,
    help="Write contact sheets here: the faces of a group as one picture, and an overview.",
)
@force_option("what is in these folders under the same names")
@embedding_options
@json_option
def cluster(
    photos: tuple[str, ...],
    method: ClusterMethod,
    choice: ThresholdChoice,
    as_csv: bool,
    copy_to: Path | None,
    sheets: Path | None,
    force: bool,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Group the faces of many photos by person.

    The largest group comes first.

    --face all takes every face of a photo.  A photo that cannot be used is reported, and the
    others go on; the exit code is then that of the first such photo.

    \b
    Example: facekit cluster photos/ --copy-to sorted/
             facekit cluster photos/ --sheets sheets/
             facekit cluster --face all --csv photos/
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one result; pass one of them.")

    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.cluster import cluster as cluster_photos

    result = cluster_photos(
        photos,
        request=pipeline_request(model, **options),
        method=method,
        threshold=choice,
        copy_to=copy_to,
        sheets=sheets,
        force=force,
        reporter=TerminalReporter(),
    )
    if as_json:
        emit_json(result.to_dict())
    else:
        print_groups(result, as_csv=as_csv)
        note_least_similarity("one group: mean", result)
    exit_with([failure.error for failure in result.failures])
