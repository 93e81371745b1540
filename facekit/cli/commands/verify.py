"""facekit verify"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import (
    EnumChoice,
    embedding_options,
    json_option,
    output_file,
    parallel_options,
)
from facekit.enums import Metric
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.pipeline.pipeline import Pipeline, Verification
    from facekit.template.threshold import Threshold

EXIT_SAME, EXIT_DIFFERENT = 0, 1


@click.command()
@click.argument("images", nargs=-1, metavar="A B")
@click.option(
    "--metric",
    type=EnumChoice(Metric),
    default=Metric.COSINE.value,
    show_default=True,
    help="Distance that is shown and that --threshold is in; it never changes the decision.",
)
@click.option("--threshold", type=float, help="Largest distance of a match, in --metric.")
@click.option(
    "--fmr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Use the card's threshold at this false match rate.  [default: 1e-3]",
)
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV of two columns: verify every line; - reads stdin.",
)
@output_file("With --pairs: write here instead of stdout (.csv or .jsonl).")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a picture of both faces, their crops and the decision (PNG, SVG or PDF).",
)
@embedding_options
@parallel_options
@json_option
def verify(
    images: tuple[str, ...],
    metric: Metric,
    threshold: float | None,
    fmr: float | None,
    pairs_file: Path | None,
    output: Path | None,
    plot: Path | None,
    model: str,
    workers: int | None,
    ray: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Are the faces in A and B of the same person?  Exit code 0 yes, 1 no.

    A and B are pictures (- for stdin) or embedding files written by facekit embed.

    \b
    Example: facekit verify a.jpg b.jpg
             facekit verify --fmr 1e-4 --json a.jpg b.jpg
             facekit verify --pairs list.csv -o result.csv
    """
    if threshold is not None and fmr is not None:
        raise UsageError("--threshold and --fmr both say where to cut; pass one of them.")
    if pairs_file is None and len(images) != 2:
        raise UsageError(f"Two pictures are needed. Received: {len(images)}")
    if pairs_file is not None and (images or plot):
        raise UsageError("--pairs takes its pictures from the list: no A, B or --plot with it.")
    if pairs_file is None and (output, workers, ray) != (None, None, None):
        raise UsageError("-o, --workers and --ray go with --pairs.")
    if images == ("-", "-"):
        raise UsageError("stdin holds one picture; only one side can be -.")

    from facekit.cli.open_pipeline import open_pipeline
    from facekit.template.threshold import chosen_threshold

    pipeline = open_pipeline(model, **options)
    cut = chosen_threshold(
        pipeline.model.card.calibration,
        pipeline.threshold_space,
        distance=threshold,
        metric=metric,
        fmr=fmr,
    )
    if pairs_file is not None:
        from facekit.cli.render.verification import verify_list

        verify_list(
            pipeline,
            pairs_file,
            output,
            cut,
            metric=metric,
            workers=workers,
            ray=ray,
            as_json=as_json,
        )
        return
    result = pipeline.verify(images[0], images[1], threshold=cut)
    if plot is not None:
        from facekit.tasks.verification_plot import plot_verification

        plot_verification(result, plot)
    _render(result, pipeline, cut, metric=metric, as_json=as_json)
    raise SystemExit(EXIT_SAME if result.decision.same else EXIT_DIFFERENT)


def _render(
    result: Verification, pipeline: Pipeline, cut: Threshold, *, metric: Metric, as_json: bool
) -> None:
    from facekit.cli.render.output import emit_json
    from facekit.cli.render.payload import (
        meaning_of,
        threshold_source,
        verification_payload,
    )

    payload = (
        verification_payload(
            result,
            model=pipeline.model,
            metric=metric,
            crop=pipeline.crop_spec,
            means=meaning_of(result, pipeline),
        )
        | pipeline.device_use.to_dict()
    )
    if as_json:
        emit_json(payload)
        return
    relation = "<=" if result.decision.same else ">"
    click.echo(
        f"{'same' if result.decision.same else 'different'}: {metric.value} distance "
        f"{payload['distance']:.4f} {relation} {payload['threshold']:.4f}"
    )
    bound = payload["fmr_at_most"]
    at_most = "" if bound is None else f"; at most {bound:.2g} of strangers match there"
    click.echo(f"threshold: {threshold_source(cut)}{at_most}")
    if payload["probability"] is not None:
        click.echo(f"probability: {payload['probability']:.6g} {payload['probability_meaning']}")
    if pipeline.options.accelerator.is_delegated:
        click.echo(f"device: {pipeline.device_use}")
    if result.comparisons > 1:
        click.echo(f"best of {result.comparisons} comparisons")
