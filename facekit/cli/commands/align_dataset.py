"""facekit align-dataset"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from facekit.cli.options import EnumChoice, detector_options, image_options, json_option
from facekit.enums import CropRule, FacePolicy, ResizeFilter
from facekit.errors import UsageError

_SIDES = re.compile(r"([1-9]\d*)(?:x([1-9]\d*))?")
_USUAL = {CropRule.MARGIN: ((182, 182), 44.0), CropRule.SIMILARITY: ((128, 112), 14.0)}
"""(height, width) and margin, pixels: facenet's; SphereFace's 112 x 96 with 16 more each way"""
_SIDE_LIMIT_PX = 4096


def _sides(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Any:
    """ "182" -> (182, 182), "112x96" -> (112, 96): height and width."""
    if text is None:
        return None
    found = _SIDES.fullmatch(text)
    height, width = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 16 <= height <= _SIDE_LIMIT_PX or not 16 <= width <= _SIDE_LIMIT_PX:
        raise click.BadParameter(
            f"pixels as 182, or HEIGHTxWIDTH as 112x96, of 16 to {_SIDE_LIMIT_PX} a side. "
            f"Received: {text}"
        )
    return height, width


@click.command("align-dataset")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, file_okay=False))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--crop",
    "rule",
    type=click.Choice([CropRule.MARGIN.value, CropRule.SIMILARITY.value]),
    default=CropRule.MARGIN.value,
    show_default=True,
    help="The box with a margin (FaceNet), or five landmarks onto a template (SphereFace).",
)
@click.option(
    "--size",
    "sides",
    callback=_sides,
    metavar="PX|HxW",
    help="The crop's sides.  [default: 182; with --crop similarity 128x112]",
)
@click.option(
    "--margin",
    "margin_px",
    type=click.FloatRange(min=0),
    help="Pixels of the crop outside the box, both sides together.  "
    "[default: 44; with --crop similarity 14]",
)
@click.option(
    "--face",
    "face_policy",
    type=EnumChoice(FacePolicy),
    default=FacePolicy.CENTER.value,
    show_default=True,
    help="Which face of a photo: center is facenet's, large and central.",
)
@click.option("--resize-filter", type=EnumChoice(ResizeFilter), default="bilinear",
              show_default=True, help="Filter of the crop's resize.")  # fmt: skip
@click.option("--format", "crop_format", type=click.Choice(["png", "jpg"]), default="png",
              show_default=True, help="png is lossless; jpg has quality 95.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), envvar="FACEKIT_WORKERS",
              help="Processes; default: the cores this process may run on.")  # fmt: skip
@click.option("--redo", is_flag=True, help="Remove what is in OUT and align every photo again.")
@click.option("--retry-failed", is_flag=True, help="Look again at the photos in OUT/failures.csv.")
@click.option(
    "--allow-failed",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Exit with 0 where at most this share of the photos failed.",
)
@detector_options
@image_options
@json_option
def align_dataset(
    source: Path,
    output: Path,
    rule: str,
    sides: tuple[int, int] | None,
    margin_px: float | None,
    face_policy: FacePolicy,
    resize_filter: ResizeFilter,
    crop_format: str,
    workers: int | None,
    redo: bool,
    retry_failed: bool,
    allow_failed: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Crop the face of every photo in IN, a folder a person, for training.

    Run it again after an interruption: it goes on where it was.  Photos that gave no crop are in
    OUT/failures.csv; the exit code is then that of the first of them.

    \b
    Example: facekit align-dataset photos/ aligned/
             facekit align-dataset photos/ aligned/ --crop similarity --workers 8
    """
    from facekit import errors
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.open_pipeline import locate_options
    from facekit.cli.render.output import emit_json, note
    from facekit.cli.terminal import with_progress
    from facekit.enums import CropFormat
    from facekit.model.registry import DETECTOR
    from facekit.system.processes import available_cores
    from facekit.train.dataset.align import align_dataset as align
    from facekit.train.dataset.aligned import FAILURES_NAME, AlignSettings
    from facekit.types import CropSpec

    crop_rule = CropRule(rule)
    if face_policy is FacePolicy.ALL:
        raise UsageError("One face a photo is aligned: --face all has no place for the others.")
    usual_size, usual_margin = _USUAL[crop_rule]
    height_px, width_px = sides or usual_size
    ensure_installed(DETECTOR)
    located = locate_options(threads=1, face_policy=face_policy, **options)
    settings = AlignSettings(
        crop=CropSpec(crop_rule, usual_margin if margin_px is None else margin_px, resize_filter),
        height_px=height_px,
        width_px=width_px,
        format=CropFormat(crop_format),
        face_policy=face_policy,
        detector=located.detector,
        max_pixels=located.limits.max_pixels,
    )
    report = align(
        source,
        output,
        settings,
        workers=workers or available_cores(),
        redo=redo,
        retry_failed=retry_failed,
        progress=lambda results, total: with_progress(results, length=total, label="aligning"),
    )
    if as_json:
        emit_json(
            {
                "output": str(output),
                "people": report.people,
                "photos": report.photos,
                "aligned": report.aligned,
                "kept": report.kept,
                "failed": [
                    {"photo": one.photo, "error": one.error, "reason": one.reason}
                    for one in report.failures
                ],
            }
        )
    else:
        click.echo(
            f"{report.aligned + report.kept} of {report.photos} photos of {report.people} people "
            f"aligned in {output}" + (f", {report.kept} of them earlier" if report.kept else "")
        )
    if report.failures:
        first = report.failures[0]
        note(f"{len(report.failures)} photos failed, see {output / FAILURES_NAME}; the first: "
             f"{first.photo}: {first.reason}")  # fmt: skip
        if len(report.failures) > allow_failed * report.photos:
            kind = getattr(errors, first.error, errors.InputError)
            raise SystemExit(kind.exit_code)
