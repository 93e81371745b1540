"""Many pairs in one process: each photo is decoded and embedded once."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import Metric
from facekit.errors import FacekitError, PairListError, UsageError
from facekit.pipeline.photos import PhotoFailure, embed_each, without_pictures
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture, Verification
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free, write_atomically
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.match import distance
from facekit.template.threshold import Threshold, ThresholdChoice


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """One line of a pair list: two picture paths."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class VerifiedPair:
    """What came of one pair: exactly one of `verification` and `failure` is set."""

    pair: PhotoPair
    verification: Verification | None
    failure: PhotoFailure | None
    """the first of its photos that gave no embedding"""
    threshold: Threshold
    metric: Metric

    @property
    def error(self) -> FacekitError | None:
        """Why there is no decision; None where there is one."""
        return None if self.failure is None else self.failure.error

    @property
    def threshold_distance(self) -> float:
        """The largest distance of a match, in `metric`; also where the pair failed."""
        return distance(self.threshold.similarity, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """The pair with its verification's members, or with its error."""
        outcome = self.error if self.verification is None else self.verification
        assert outcome is not None  # one of the two is there
        return {"a": self.pair.a, "b": self.pair.b, **outcome.to_dict()}


@dataclass(frozen=True, slots=True)
class VerifiedList:
    """A whole list of pairs, in a file where one was asked for."""

    output: Path | None
    pairs: tuple[VerifiedPair, ...]

    @property
    def all_same(self) -> bool:
        """Whether every pair that has a decision is of one person."""
        return all(pair.verification for pair in self.pairs if pair.verification is not None)

    def to_dict(self) -> dict[str, Any]:
        """The counts and the photos that failed, each once; the decisions are in the file."""
        verified = [pair.verification for pair in self.pairs if pair.verification is not None]
        failed = {pair.failure.name: pair.failure for pair in self.pairs if pair.failure}
        return {
            "output": self.output and str(self.output),
            "pair_count": len(self.pairs),
            "same_count": sum(map(bool, verified)),
            "model": verified[0].model if verified else None,
            "model_sha256": verified[0].model_sha256 if verified else None,
            "failed": [failure.to_dict() for failure in failed.values()],
        }


def verify_pairs(
    pairs: Sequence[PhotoPair],
    *,
    request: PipelineRequest | None = None,
    threshold: ThresholdChoice | None = None,
    workers: int | None = None,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[VerifiedPair]:
    """Results in the order of the pairs; a photo that fails fails its pairs, not the list.

    Keeps 2 KB a photo: the embeddings, not the pixels.  See `embed_each` for `workers` and `ray`.
    Raises what `open_pipeline`, `ThresholdChoice.of` and `embed_each` raise.
    """
    threshold = threshold or ThresholdChoice()
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    return verify_each(
        pipeline,
        pairs,
        threshold=pipeline.threshold(threshold),
        metric=threshold.metric,
        workers=workers,
        ray=ray,
        reporter=reporter,
    )


def verify_each(
    pipeline: Pipeline,
    pairs: Sequence[PhotoPair],
    *,
    threshold: Threshold,
    metric: Metric = Metric.COSINE,
    workers: int | None = 1,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[VerifiedPair]:
    """As `verify_pairs`, by a pipeline that is open."""
    coming = embed_each(pipeline, photos_of(pairs), workers=workers, ray=ray)
    results = _compared(pipeline, pairs, coming, threshold, metric)
    return reporter.steps(results, length=len(pairs), label="verifying")


def read_pairs(path: Path) -> list[PhotoPair]:
    """The pair list at `path`, "-" for standard input; see `parse_pairs`.

    Raises PairListError where it cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise PairListError(f"{path}: {error.strerror or error}") from error
    return parse_pairs(content, name=str(path))


def parse_pairs(content: bytes, *, name: str) -> list[PhotoPair]:
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
            pairs.append(PhotoPair(row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise PairListError(f"{name}, line {reader.line_num}: {error}") from error
    if not pairs:
        raise PairListError(f"{name}: no pair in it.")
    return pairs


def photos_of(pairs: Iterable[PhotoPair]) -> list[str]:
    """Each photo once, in the order of its first use."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))


def require_list_file(output: Path, *, force: bool) -> None:
    """Raises UsageError where a list of results is to be written neither as CSV nor as JSON, or
    over a file that exists and that `force` does not allow replacing."""
    if output.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError(f"-o must end in .csv or .jsonl. Received: {output}")
    require_free(output, force=force)


def is_json_list(output: Path) -> bool:
    """Whether the list goes to a JSON Lines file, else to CSV."""
    return output.suffix.lower() == ".jsonl"


def write_lines(output: Path, lines: Iterable[str]) -> None:
    """Lines with their ends, as UTF-8; the file appears whole or not at all.

    Raises StorageError where it cannot be written.
    """
    write_atomically(output, "".join(lines).encode())


def _compared(
    pipeline: Pipeline,
    pairs: Iterable[PhotoPair],
    coming: Iterator[EmbeddedPicture | PhotoFailure],
    threshold: Threshold,
    metric: Metric,
) -> Iterator[VerifiedPair]:
    seen: dict[str, EmbeddedPicture | PhotoFailure] = {}
    for pair in pairs:
        while not (pair.a in seen and pair.b in seen):
            result = next(coming)
            if isinstance(result, EmbeddedPicture):
                result = without_pictures(result)
            seen[result.name] = result
        a, b = seen[pair.a], seen[pair.b]
        verification = failure = None
        if isinstance(a, PhotoFailure):
            failure = a
        elif isinstance(b, PhotoFailure):
            failure = b
        else:
            verification = pipeline.compare(a, b, threshold=threshold, metric=metric)
        yield VerifiedPair(pair, verification, failure, threshold, metric)
