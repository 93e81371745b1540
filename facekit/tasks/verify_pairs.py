"""Many pairs in one process: each photo is decoded and embedded once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from facekit.errors import FacekitError, PairListError
from facekit.pipeline.photos import PhotoFailure, embed_each, without_pictures
from facekit.pipeline.pipeline import EmbeddedPicture, Pipeline, Verification
from facekit.template.threshold import Threshold


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of a pair list: two picture paths."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class PairResult:
    """What came of one pair: exactly one of `verification` and `error` is set."""

    pair: Pair
    verification: Verification | None
    error: FacekitError | None


def parse_pairs(content: bytes, *, name: str) -> list[Pair]:
    """CSV of two columns; a first line "a,b" is a heading.  Blank lines are passed over.

    Raises PairListError naming the file, the line and what is wrong with it.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairListError(f"{name}: not UTF-8 text: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    pairs = []
    try:
        for row in reader:
            if not row or (reader.line_num == 1 and [cell.strip() for cell in row] == ["a", "b"]):
                continue
            if len(row) != 2 or not all(cell.strip() for cell in row):
                raise PairListError(
                    f"{name}, line {reader.line_num}: two paths needed. Received: {','.join(row)!r}"
                )
            pairs.append(Pair(row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise PairListError(f"{name}, line {reader.line_num}: {error}") from error
    if not pairs:
        raise PairListError(f"{name}: no pair in it.")
    return pairs


def photos_of(pairs: Iterable[Pair]) -> list[str]:
    """Each photo once, in the order of its first use."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))


def verify_pairs(
    pipeline: Pipeline,
    pairs: Sequence[Pair],
    *,
    threshold: Threshold,
    workers: int | None = 1,
    ray: str | None = None,
) -> Iterator[PairResult]:
    """Results in the order of the pairs; a photo that fails fails its pairs, not the list.

    Keeps 2 KB a photo: the embeddings, not the pixels.  See `embed_each` for `workers` and `ray`.
    """
    coming = embed_each(pipeline, photos_of(pairs), workers=workers, ray=ray)
    return _compared(pipeline, pairs, coming, threshold)


def _compared(
    pipeline: Pipeline,
    pairs: Iterable[Pair],
    coming: Iterator[EmbeddedPicture | PhotoFailure],
    threshold: Threshold,
) -> Iterator[PairResult]:
    seen: dict[str, EmbeddedPicture | FacekitError] = {}
    for pair in pairs:
        while not (pair.a in seen and pair.b in seen):
            result = next(coming)
            if isinstance(result, PhotoFailure):
                seen[result.name] = result.error
            else:
                seen[result.name] = without_pictures(result)
        a, b = seen[pair.a], seen[pair.b]
        if isinstance(a, FacekitError):
            yield PairResult(pair, None, a)
        elif isinstance(b, FacekitError):
            yield PairResult(pair, None, b)
        else:
            yield PairResult(pair, pipeline.compare(a, b, threshold=threshold), None)
