"""facekit detect"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facekit.cli.options import (
    EnumChoice,
    crop_options,
    detector_options,
    image_options,
    json_option,
    model_option,
    threads_option,
)
from facekit.enums import FacePolicy
from facekit.errors import FacekitError

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
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
@json_option
def detect(
    images: tuple[str, ...],
    crops: Path | None,
    draw: Path | None,
    model: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the faces in pictures, or in folders of pictures.

    A photo that cannot be read, or has no face, is reported, and the others go on; the exit
    code is then that of the first such photo.  --model and the crop options matter to --crops.

    \b
    Example: facekit detect group.jpg
             facekit detect --json --crops crops/ --draw drawn/ photos/
    """
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.open_pipeline import locate_options, open_pipeline
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.render.payload import located_payload
    from facekit.cli.terminal import with_progress
    from facekit.model.registry import DETECTOR
    from facekit.photo.draw import draw_faces, write_crops
    from facekit.photo.sources import list_pictures, unique_stems
    from facekit.photo.write import write_png
    from facekit.pipeline.locate import Locator

    names = list_pictures(images)
    stems = unique_stems(names)
    cropper = open_pipeline(model, no_detect=False, **options) if crops is not None else None
    ensure_installed(DETECTOR)
    locator = Locator(options=locate_options(**options))
    records: list[dict[str, Any]] = []
    failures = []
    for name in with_progress(names, length=len(names), label="detecting"):
        try:
            (located,) = locator.locate([name])
        except FacekitError as error:
            failures.append(error)
            note(str(error))
            records.append({"image": name, **error.to_dict()})
            continue
        record = located_payload(located)
        if crops is not None and cropper is not None:
            written = write_crops(crops, stems[name], cropper.crop(located))
            record["crops"] = [str(path) for path in written]
        if draw is not None:
            drawing = draw / f"{stems[name]}.png"
            drawn = draw_faces(located.picture.pixels, located.faces, located.selected)
            write_png(drawing, drawn)
            record["drawing"] = str(drawing)
        records.append(record)
        if not as_json:
            _print(record)
    if as_json:
        emit_json({"images": records})
    if failures:
        raise SystemExit(failures[0].exit_code)


def _print(record: dict[str, Any]) -> None:
    """One line a face: picture, box corners, score."""
    for face in record["faces"]:
        x1, y1, x2, y2 = face["box_xyxy"]
        click.echo(
            f"{record['image']}\t{x1:.0f},{y1:.0f},{x2:.0f},{y2:.0f}\tscore {face['score']:.4f}"
        )
