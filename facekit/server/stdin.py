"""The loop of `facekit serve-stdin`: one answer per line; networks are loaded once."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO

from facekit.enums import CropRule, Metric
from facekit.errors import FacekitError, UsageError, mistake
from facekit.pipeline.pipeline import Pipeline
from facekit.reporter import SILENT, Reporter
from facekit.server.requests import Request, Verb, parse_object, parse_request, request_lines
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.threshold import Threshold, ThresholdChoice


def serve(
    stream: BinaryIO | None,
    *,
    request: PipelineRequest | None = None,
    threshold: ThresholdChoice | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[dict[str, Any]]:
    """Yields the answer to each line before reading the next one; blank lines are skipped.

    An error in a line is its answer, whatever it is.  Raises the errors of `open_pipeline`,
    `ThresholdChoice.of` and `Pipeline.load` before a line is read, and InputError if `stream` is
    closed (None) or cannot be read.
    """
    threshold = threshold or ThresholdChoice()
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    chosen = pipeline.threshold(threshold)
    pipeline.load()
    for line in request_lines(stream):
        yield answer(line, pipeline, threshold=chosen, metric=threshold.metric, reporter=reporter)


def answer(
    line: bytes,
    pipeline: Pipeline,
    *,
    threshold: Threshold,
    metric: Metric = Metric.COSINE,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Returns the record for one request, or its error, with the request's `id` or None.

    An error that facekit has not foreseen is an answer with exit code 70, and is reported.
    """
    named: dict[str, Any] = {"id": None}
    try:
        found = parse_object(line)
        named = {"id": found.get("id")}
        return named | _answered(parse_request(found), pipeline, threshold, metric)
    except FacekitError as error:
        return named | error.to_dict()
    except Exception as error:
        reporter.detail("".join(traceback.format_exception(error)).rstrip())
        reporter.failure(unforeseen := mistake(error))
        return named | unforeseen.to_dict()


def _answered(
    request: Request, pipeline: Pipeline, threshold: Threshold, metric: Metric
) -> dict[str, Any]:
    if request.verb is Verb.VERIFY:
        a, b = request.pictures
        return pipeline.verify(a, b, threshold=threshold, metric=metric).to_dict()
    if request.verb is Verb.DETECT:
        if pipeline.crop_spec.rule is CropRule.NONE:
            raise UsageError("Nothing is detected with --no-detect or --crop none.")
        (located,) = pipeline.locate(request.pictures)
        return {**located.to_dict(), "detector": pipeline.options.locate.detector_name}
    (embedded,) = pipeline.embed(request.pictures)
    space = pipeline.space
    return {**embedded.to_dict(), "model": space.model, "model_sha256": space.model_sha256}
