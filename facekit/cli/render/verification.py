"""A verification in words; a list of them as CSV or JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.render.style import Style, styled
from facekit.cli.render.table import wrapped
from facekit.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from facekit.pipeline.records import EmbeddedPicture, FaceOrigin, Verification
    from facekit.tasks.verify_pairs import VerifiedPair


def print_verification(result: Verification) -> None:
    """The decision, the threshold and what they mean, in a few lines."""
    for sentence in _sentences(result):
        click.echo("\n".join(wrapped(sentence, others="  ")))


def _sentences(result: Verification) -> Iterator[str]:
    from facekit.template.wording import (
        comparison_text,
        fmr_text,
        prior_text,
        probability_text,
    )

    decision, meaning = result.decision, result.meaning
    answer = styled("same", Style.YES) if decision.same else styled("different", Style.NO)
    comparison = comparison_text(decision.similarity, decision.threshold_similarity, result.metric)
    yield f"{answer}: {comparison}"
    yield f"threshold: {fmr_text(meaning.fmr_at_most)} ({result.threshold_source})"
    if meaning.probability is not None and result.score_to_probability is not None:
        yield (
            f"probability of same person: {probability_text(meaning.probability)} "
            f"({prior_text(result.score_to_probability)})"
        )
    for picture, index in zip((result.a, result.b), result.best_pair, strict=True):
        face = picture.faces[index]
        if face is not None and face.rotation_degrees:
            yield f"{picture.name}: turned by {face.rotation_degrees} degrees clockwise"
    if result.device.is_accelerator_requested:
        yield f"device: {result.device}"
    if result.comparison_count > 1:
        first, second = map(_origin_text, (result.a, result.b), result.matched)
        yield f"best of {result.comparison_count} comparisons:"
        yield from (f"  {first}", f"  {second}")  # lines of their own: a path is not broken


def _origin_text(picture: EmbeddedPicture, origin: FaceOrigin) -> str:
    """face 1 of b.jpg; of an embedding file: row 2 of known.npz, face 0 of a.jpg."""
    row = "" if origin.row is None else f"row {origin.row} of {picture.name}, "
    return f"{row}face {origin.face} of {origin.photo}"


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
