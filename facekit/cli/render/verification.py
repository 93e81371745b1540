"""A verification in words; a list of them as CSV or JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.render.style import Style, styled
from facekit.cli.render.table import wrapped
from facekit.enums import Metric
from facekit.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from facekit.tasks.verify_pairs import VerifiedPair


def print_verification(record: Mapping[str, Any], *, device: str | None = None) -> None:
    """The decision, the threshold and what they mean, in a few lines.

    `record`: of `Verification.to_dict`.  `device`: what the network ran on, where that is told.
    """
    for sentence in _sentences(record, device):
        click.echo("\n".join(wrapped(sentence, others="  ")))


def _sentences(record: Mapping[str, Any], device: str | None) -> Iterator[str]:
    from facekit.template.wording import comparison_text, fmr_text, probability_text

    answer = styled("same", Style.YES) if record["verified"] else styled("different", Style.NO)
    metric = Metric(record["similarity_metric"])
    scores = (record["similarity"], record["threshold_similarity"])
    yield f"{answer}: {comparison_text(*scores, metric)}"
    yield f"threshold: {fmr_text(record['fmr_at_most'])} ({record['threshold_source']})"
    if record["probability"] is not None:
        # "of the same person, assuming half of all pairs match; fitted on 6,000 pairs"
        prior = record["probability_meaning"].partition(", ")[2].partition(";")[0]
        yield f"probability of same person: {probability_text(record['probability'])} ({prior})"
    for key, face in record["faces"].items():
        if face is not None and face["rotation_degrees"]:
            degrees = face["rotation_degrees"]
            yield f"{record['photo'][key]}: turned by {degrees} degrees clockwise"
    for key, found in (record.get("liveness") or {}).items():
        yield f"{record['photo'][key]}: {_liveness_text(found)}"
    if device is not None:
        yield f"device: {device}"
    if record["comparison_count"] > 1:
        yield f"best of {record['comparison_count']} comparisons:"
        for key, origin in record["matched"].items():  # lines of their own: a path is not broken
            yield f"  {_origin_text(record['photo'][key], origin)}"


def _liveness_text(found: Mapping[str, Any]) -> str:
    decision, score = found["decision"].replace("_", " "), found["bona_fide_score"]
    said = f"{decision}, as {found['model']} classifies it"
    if score is None:
        return said
    relation = ">=" if score >= found["threshold_score"] else "<"
    return f"{said}: bona fide score {score:.3f} {relation} {found['threshold_score']:g}"


def _origin_text(photo: str, origin: Mapping[str, Any]) -> str:
    """face 1 of b.jpg; of an embedding file: row 2 of known.npz, face 0 of a.jpg."""
    row = "" if origin["row"] is None else f"row {origin['row']} of {photo}, "
    return f"{row}face {origin['face']} of {origin['photo']}"


def pair_lines(results: Iterable[VerifiedPair], *, as_json: bool) -> Iterator[str]:
    """JSON Lines, or CSV with its heading; each line as soon as its pair is done.

    The columns of the list that was read stand behind the paths.
    """
    from facekit.tasks.verify_pairs import RESULT_COLUMNS

    if as_json:
        for result in results:
            record = {"schema_version": SCHEMA_VERSION, **result.to_dict()}
            yield json.dumps(record, allow_nan=False) + "\n"
        return
    header: tuple[str, ...] = ()
    for result in results:
        if not header:
            header = ("a", "b", *result.pair.others, *RESULT_COLUMNS)
            yield _csv_line(header)
        yield _csv_line(_row(result))


def _csv_line(cells: tuple[Any, ...]) -> str:
    import csv  # neither is needed for one verification
    import io

    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _row(result: VerifiedPair) -> tuple[Any, ...]:
    pair = (result.pair.a, result.pair.b, *result.pair.others.values())
    threshold = (
        f"{result.threshold_distance:.6f}",
        f"{result.threshold.similarity:.6f}",
        result.metric.value,
    )
    by = "" if result.threshold.measured_by is None else result.threshold.measured_by.value
    verification = result.verification
    if verification is None:
        error = f"{type(result.error).__name__}: {result.error}"
        return (*pair, "", "", "", *threshold, "", "", by, error)
    return (
        *pair,
        str(verification.decision.same).lower(),
        f"{verification.decision.similarity:.6f}",
        f"{verification.distance:.6f}",
        *threshold,
        verification.a.face_count,
        verification.b.face_count,
        by,
        "",
    )
