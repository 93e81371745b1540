"""facekit calibrate"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from facekit.cli.data_options import evaluation_options
from facekit.cli.options import json_option, model_option, output_file


def _rates(_ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Comma-separated rates, each between 0 and 1."""
    try:
        rates = tuple(float(one) for one in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers", param=param) from error
    if not all(0 < rate < 1 for rate in rates):
        raise click.BadParameter(f"each lies between 0 and 1. Received: {value}", param=param)
    return rates


@click.command()
@model_option
@evaluation_options(default_protocol="devtrain")
@click.option(
    "--fmr",
    "fmr_targets",
    metavar="FMR,...",
    callback=_rates,
    default="1e-2,1e-3,1e-4",
    show_default=True,
    help="False match rates to find thresholds for.",
)
@click.option("--write", is_flag=True, help="Put the result into the model's card.")
@output_file("Write the result as a calibration file (JSON).")
@json_option
def calibrate(
    model: str,
    data: Path | None,
    protocol: str,
    pairs_file: Path | None,
    workers: int | None,
    fmr_targets: tuple[float, ...],
    write: bool,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure a model's thresholds on labelled photos.

    Finds the thresholds at which strangers match at a given rate (FMR), how often the same
    person is then missed (FNMR), and what probability a score stands for.  With --write,
    facekit verify uses the result from then on, and a crop rule given here with it.

    \b
    Example: facekit calibrate --data lfw --write
             facekit calibrate --data photos/ --protocol folders --write
             facekit calibrate --pairs mine.csv --data photos --model my.tflite --write
    """
    from facekit.cli.data_options import embed_settings, embed_with_progress, worker_count
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.render.output import emit_json
    from facekit.evaluate.calibrate import calibrate as measure
    from facekit.evaluate.photo_crop import PhotoCropper
    from facekit.evaluate.protocols.plan import open_list
    from facekit.model.installation import write_card
    from facekit.model.shipped_calibrations import measured_on
    from facekit.model.variants import for_runtime
    from facekit.system.files import write_atomically

    installed = ensure_installed(for_runtime(model, options["runtime"]))
    pair_list, folder, _protocol = open_list(data=data, protocol=protocol, pairs_file=pairs_file)
    settings = embed_settings(installed.card, options)
    embeddings = embed_with_progress(
        [folder.photos_dir / photo.path for photo in pair_list.photos],
        installed,
        settings,
        workers=worker_count(workers),
    )
    result = measure(
        embeddings,
        pair_list,
        dataset=folder.name,
        flip=installed.card.flip,
        space=PhotoCropper(installed, settings).pipeline.space,
        fmr_targets=fmr_targets,
    )
    card = replace(
        installed.card,
        calibration=result.calibration,
        crop=settings.crop or installed.card.crop,
    )
    if write:
        write_card(installed.path, card)
    if output is not None:
        text = measured_on(card).to_json(name=card.name, variant=card.variant)
        write_atomically(output, text.encode())
    if as_json:
        emit_json(
            {
                "model": f"{card.name}:{card.variant}",
                "model_sha256": card.file_sha256,
                "written": write,
                "photos": result.n_photos,
                "people": result.n_people,
                "failed_photos": result.n_failed,
                "expected_calibration_error": result.reliability.expected_calibration_error,
                "calibration": result.calibration.as_dict(),
            }
        )
        return
    click.echo(
        f"{card.name}:{card.variant} on {result.n_photos} photos of {result.n_people or 'unnamed'} "
        f"people, {result.n_failed} without an embedding"
    )
    for point in result.calibration.operating_points:
        click.echo(
            f"{point.target:14} similarity >= {point.threshold_similarity:.4f}   "
            f"FMR {point.fmr:.3g} of {point.n_impostor:,}   "
            f"FNMR {point.fnmr:.2%} of {point.n_genuine:,}"
        )
    click.echo(
        "probability    expected calibration error "
        f"{result.reliability.expected_calibration_error:.3f} on held-out pairs"
    )
    click.echo("written to the model's card" if write else "not written; --write to use it")
