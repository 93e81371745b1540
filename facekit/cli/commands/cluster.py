"""facekit cluster"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import EnumChoice, embedding_options, json_option
from facekit.enums import ClusterMethod
from facekit.errors import StorageError, UsageError

if TYPE_CHECKING:
    from facekit.pipeline.pipeline import Pipeline


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="DIR")
@click.option(
    "--method",
    type=EnumChoice(ClusterMethod),
    default=ClusterMethod.AGGLOMERATIVE.value,
    show_default=True,
    help="hdbscan has no threshold.",
)
@click.option("--threshold", type=float, help="Largest mean cosine distance within a group, 0..2.")
@click.option(
    "--fmr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Use the card's threshold at this false match rate.  [default: 1e-3]",
)
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV: group, image, face, box.")
@click.option(
    "--copy-to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the photos here, into a folder a group.",
)
@click.option(
    "--sheets",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write contact sheets here: a picture of faces a group, and an overview.",
)
@embedding_options
@json_option
def cluster(
    images: tuple[str, ...],
    method: ClusterMethod,
    threshold: float | None,
    fmr: float | None,
    as_csv: bool,
    copy_to: Path | None,
    sheets: Path | None,
    model: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Group the faces of a folder of photos by person, the largest group first.

    --face all takes every face of a photo.  A photo that cannot be used is reported, and the
    others go on; the exit code is then that of the first such photo.

    \b
    Example: facekit cluster photos/ --copy-to sorted/
             facekit cluster photos/ --sheets sheets/
             facekit cluster --face all --csv photos/
    """
    if threshold is not None and fmr is not None:
        raise UsageError("--threshold and --fmr both say where to cut; pass one of them.")
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one result; pass one of them.")

    if sheets is not None and "-" in images:
        raise UsageError(
            "--sheets reads the photos again, and standard input has only one reading."
        )

    import numpy as np

    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.terminal import with_progress
    from facekit.photo.sheets import SheetFace, plan_sheets, write_sheet
    from facekit.photo.sources import list_pictures
    from facekit.pipeline.photos import PhotoFailure, embed_each
    from facekit.template.cluster import cluster as cluster_vectors

    names = list_pictures(images)
    pipeline = open_pipeline(model, **options)
    cut = _similarity(pipeline, method, threshold, fmr)
    faces: list[dict[str, Any]] = []
    vectors = [np.zeros((0, pipeline.model.card.embedding_size), np.float32)]
    failures = []
    results = embed_each(pipeline, names, workers=None)
    for result in with_progress(results, length=len(names), label="embedding"):
        if isinstance(result, PhotoFailure):
            failures.append((result.name, result.error))
            note(str(result.error))
            continue
        vectors.append(result.embeddings)
        for place, face in enumerate(result.faces):
            box = None if face is None else [round(side, 1) for side in face.box_xyxy.tolist()]
            faces.append({"image": result.name, "face": place, "box_xyxy": box})
    stacked = np.concatenate(vectors)
    numbers = cluster_vectors(stacked, method=method, threshold_similarity=cut)
    groups = numbers.tolist()
    if copy_to is not None:
        _copy(copy_to, [face["image"] for face in faces], groups)
    if sheets is not None:
        shown = [SheetFace(face["image"], face["box_xyxy"]) for face in faces]
        plan = plan_sheets(shown, numbers, stacked)
        for sheet in with_progress(plan, length=len(plan), label="drawing"):
            write_sheet(sheets, sheet, limits=pipeline.options.locate.limits)
    if as_json:
        emit_json(
            {
                "method": method.value,
                "threshold": 1.0 - cut if method is ClusterMethod.AGGLOMERATIVE else None,
                "groups": len(set(groups)),
                "faces": [
                    {"group": group, **face} for group, face in zip(groups, faces, strict=True)
                ],
                "failed": [{"image": name, **error.to_dict()} for name, error in failures],
                "model_sha256": pipeline.model.card.file_sha256,
            }
        )
    else:
        _print(faces, groups, as_csv=as_csv)
    if failures:
        raise SystemExit(failures[0][1].exit_code)


def _similarity(
    pipeline: Pipeline, method: ClusterMethod, threshold: float | None, fmr: float | None
) -> float:
    from facekit.enums import Metric
    from facekit.template.threshold import card_threshold, given_threshold

    if method is ClusterMethod.HDBSCAN:
        if threshold is not None or fmr is not None:
            raise UsageError("hdbscan has no threshold: leave --threshold and --fmr out.")
        return 0.0
    if threshold is not None:
        return given_threshold(threshold, Metric.COSINE).similarity
    return card_threshold(
        pipeline.model.card.calibration, pipeline.threshold_space, fmr=fmr
    ).similarity


def _print(faces: list[dict[str, Any]], groups: list[int], *, as_csv: bool) -> None:
    """Group by group; as CSV with the face's number and box."""
    places = sorted(range(len(groups)), key=lambda place: (groups[place], place))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if as_csv:
        writer.writerow(["group", "image", "face", "x1", "y1", "x2", "y2"])
    for place in places:
        face = faces[place]
        if as_csv:
            box = face["box_xyxy"] or [""] * 4
            writer.writerow([groups[place], face["image"], face["face"], *box])
        else:
            click.echo(f"{groups[place]}\t{face['image']}")


def _copy(folder: Path, photos: list[str], groups: list[int]) -> None:
    """A photo with faces of two groups goes to both; photos of one name get numbers."""
    from facekit.photo.sources import unique_stems

    stems = unique_stems(photos)
    width = len(str(max(groups, default=0)))
    try:
        for photo, group in sorted(set(zip(photos, groups, strict=True))):
            target = folder / f"{group:0{width}d}" / f"{stems[photo]}{Path(photo).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, target)
    except OSError as error:
        raise StorageError(f"Cannot copy to {folder}: {error}") from error
