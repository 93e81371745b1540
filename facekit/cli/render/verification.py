"""facekit verify --pairs: read the list, stream the results."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import click

from facekit.cli.render.output import SCHEMA_VERSION, note
from facekit.cli.render.payload import meaning_of, verification_payload
from facekit.cli.terminal import with_progress
from facekit.enums import Metric
from facekit.errors import PairListError, UsageError
from facekit.pipeline.pipeline import Pipeline
from facekit.system.files import write_atomically
from facekit.tasks.verify_pairs import PairResult, parse_pairs, verify_pairs
from facekit.template.match import distance
from facekit.template.threshold import Threshold

_COLUMNS = (
    "a",
    "b",
    "verified",
    "similarity",
    "distance",
    "threshold",
    "similarity_metric",
    "faces_a",
    "faces_b",
    "error",
)


def verify_list(
    pipeline: Pipeline,
    pairs_file: Path,
    output: Path | None,
    threshold: Threshold,
    *,
    metric: Metric,
    workers: int | None,
    ray: str | None,
    as_json: bool,
) -> None:
    """CSV, or JSON Lines with --json or an output that ends in .jsonl.

    Exits 0 when every pair has a decision, else with the code of the first failure.
    """
    if output is not None and output.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError(f"-o must end in .csv or .jsonl. Received: {output}")
    as_lines = as_json or (output is not None and output.suffix.lower() == ".jsonl")
    pairs = parse_pairs(_read(pairs_file), name=str(pairs_file))
    collected = io.StringIO(newline="")
    if not as_lines:
        _write(collected, output, _csv_line(_COLUMNS))
    failures = []
    results = verify_pairs(pipeline, pairs, threshold=threshold, workers=workers, ray=ray)
    for result in with_progress(results, length=len(pairs), label="verifying"):
        if result.error is not None:
            failures.append(result.error)
        line = (
            _json_line(result, pipeline, metric)
            if as_lines
            else _csv_line(_row(result, threshold, metric))
        )
        _write(collected, output, line)
    if output is not None:
        write_atomically(output, collected.getvalue().encode())
    if failures:
        note(f"{len(failures)} of {len(pairs)} pairs failed; the first: {failures[0]}")
        raise SystemExit(failures[0].exit_code)


def _read(pairs_file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(pairs_file) == "-" else pairs_file.read_bytes()
    except OSError as error:
        raise PairListError(f"{pairs_file}: {error.strerror or error}") from error


def _write(collected: io.StringIO, output: Path | None, line: str) -> None:
    """To the file that is written at the end, or to stdout as it comes."""
    if output is None:
        click.echo(line, nl=False)
    else:
        collected.write(line)


def _csv_line(cells: tuple[Any, ...]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _row(result: PairResult, threshold: Threshold, metric: Metric) -> tuple[Any, ...]:
    cut = f"{distance(threshold.similarity, metric):.6f}"
    verification = result.verification
    if verification is None:
        empty = ("",) * 3
        return (
            result.pair.a,
            result.pair.b,
            *empty,
            cut,
            metric.value,
            "",
            "",
            f"{type(result.error).__name__}: {result.error}",
        )
    similarity = verification.decision.similarity
    return (
        result.pair.a,
        result.pair.b,
        str(verification.decision.same).lower(),
        f"{similarity:.6f}",
        f"{distance(similarity, metric):.6f}",
        cut,
        metric.value,
        verification.a.faces_found,
        verification.b.faces_found,
        "",
    )


def _json_line(result: PairResult, pipeline: Pipeline, metric: Metric) -> str:
    payload: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "a": result.pair.a,
        "b": result.pair.b,
    }
    if result.verification is not None:
        payload |= (
            verification_payload(
                result.verification,
                model=pipeline.model,
                metric=metric,
                crop=pipeline.crop_spec,
                means=meaning_of(result.verification, pipeline),
            )
            | pipeline.device_use.to_dict()
        )
    elif result.error is not None:
        payload |= result.error.to_dict()
    return json.dumps(payload, allow_nan=False) + "\n"
