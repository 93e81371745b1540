"""A verification in words; a list of them as CSV or JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.render.output import SCHEMA_VERSION
from facekit.cli.render.style import Style, styled

if TYPE_CHECKING:
    from facekit.pipeline.records import Verification
    from facekit.tasks.verify_pairs import VerifiedPair

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


def print_verification(result: Verification) -> None:
    """The decision, the threshold and what they mean, in a few lines."""
    payload = result.to_dict()
    answer, relation, style = (
        ("same", "<=", Style.YES) if payload["verified"] else ("different", ">", Style.NO)
    )
    click.echo(
        f"{styled(answer, style)}: {payload['similarity_metric']} distance "
        f"{payload['distance']:.4f} {relation} {payload['threshold']:.4f}"
    )
    bound = payload["fmr_at_most"]
    at_most = "" if bound is None else f"; at most {bound:.2g} of strangers match there"
    click.echo(f"threshold: {payload['threshold_source']}{at_most}")
    if payload["probability"] is not None:
        click.echo(f"probability: {payload['probability']:.6g} {payload['probability_meaning']}")
    if result.device.is_asked_for:
        click.echo(f"device: {result.device}")
    if result.comparisons > 1:
        click.echo(f"best of {result.comparisons} comparisons")


def pair_lines(results: Iterable[VerifiedPair], *, as_json: bool) -> Iterator[str]:
    """JSON Lines, or CSV with its heading; each line as soon as its pair is done."""
    if as_json:
        for result in results:
            record = {"schema_version": SCHEMA_VERSION, **result.to_dict()}
            yield json.dumps(record, allow_nan=False) + "\n"
        return
    yield _csv_line(_COLUMNS)
    for result in results:
        yield _csv_line(_row(result))


def _csv_line(cells: tuple[Any, ...]) -> str:
    import csv  # neither is needed for one verification
    import io

    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _row(result: VerifiedPair) -> tuple[Any, ...]:
    pair = (result.pair.a, result.pair.b)
    threshold = (f"{result.threshold_distance:.6f}", result.metric.value)
    verification = result.verification
    if verification is None:
        error = f"{type(result.error).__name__}: {result.error}"
        return (*pair, "", "", "", *threshold, "", "", error)
    return (
        *pair,
        str(verification.decision.same).lower(),
        f"{verification.decision.similarity:.6f}",
        f"{verification.distance:.6f}",
        *threshold,
        verification.a.faces_found,
        verification.b.faces_found,
        "",
    )
