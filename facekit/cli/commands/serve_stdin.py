"""facekit serve-stdin"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import EnumChoice, embedding_options
from facekit.enums import CropRule, Metric
from facekit.errors import FacekitError, UsageError

if TYPE_CHECKING:
    from facekit.pipeline.pipeline import Pipeline
    from facekit.server.requests import Request
    from facekit.template.threshold import Threshold


@click.command("serve-stdin")
@click.option(
    "--metric",
    type=EnumChoice(Metric),
    default=Metric.COSINE.value,
    show_default=True,
    help="Distance that is shown and that --threshold is in.",
)
@click.option("--threshold", type=float, help="Largest distance of a match, in --metric.")
@click.option(
    "--fmr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Use the card's threshold at this false match rate.  [default: 1e-3]",
)
@embedding_options
def serve_stdin(
    metric: Metric, threshold: float | None, fmr: float | None, model: str, **options: Any
) -> None:
    """Answer requests: one JSON object a line on stdin, one on stdout, models loaded once.

    A request that fails is answered with an error and the next one is read.  Exit code 0 when
    stdin ends.

    \b
    Requests: {"verify": ["a.jpg", "b.jpg"], "id": 1}
              {"detect": "a.jpg"}
              {"embed": {"base64": "..."}}
    \b
    Example: facekit serve-stdin < requests.jsonl > answers.jsonl
    """
    if threshold is not None and fmr is not None:
        raise UsageError("--threshold and --fmr both say where to cut; pass one of them.")

    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json_line
    from facekit.server.requests import parse_object, parse_request
    from facekit.template.threshold import chosen_threshold

    pipeline = open_pipeline(model, **options)
    cut = chosen_threshold(
        pipeline.model.card.calibration,
        pipeline.threshold_space,
        distance=threshold,
        metric=metric,
        fmr=fmr,
    )
    pipeline.load()
    for line in iter(sys.stdin.buffer.readline, b""):  # iterating the stream would read ahead
        if not line.strip():
            continue
        named: dict[str, Any] = {}
        try:
            found = parse_object(line)
            named = {"id": found["id"]} if "id" in found else {}
            pipeline.stopwatch.milliseconds.clear()
            answer = _answer(parse_request(found), pipeline, cut, metric)
        except FacekitError as error:
            answer = error.to_dict()
        emit_json_line(named | answer)


def _answer(request: Request, pipeline: Pipeline, cut: Threshold, metric: Metric) -> dict[str, Any]:
    from facekit.cli.render.payload import (
        located_payload,
        meaning_of,
        verification_payload,
    )
    from facekit.server.requests import Verb

    if request.verb is Verb.VERIFY:
        result = pipeline.verify(*request.pictures, threshold=cut)
        return (
            verification_payload(
                result,
                model=pipeline.model,
                metric=metric,
                crop=pipeline.crop_spec,
                means=meaning_of(result, pipeline),
            )
            | pipeline.device_use.to_dict()
        )
    if request.verb is Verb.DETECT:
        if pipeline.crop_spec.rule is CropRule.NONE:
            raise UsageError("Nothing is detected with --no-detect or --align none.")
        (located,) = pipeline.locate(request.pictures)
        return located_payload(located)
    (embedded,) = pipeline.embed(request.pictures)
    return {
        "image": embedded.name,
        "photo_sha256": embedded.photo_sha256,
        "faces_found": embedded.faces_found,
        "embeddings": embedded.embeddings.tolist(),
    }
