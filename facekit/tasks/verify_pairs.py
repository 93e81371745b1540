"""Verifies many pairs in one process: each photo is decoded and embedded once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import Metric
from facekit.errors import FacekitError, PairListError, UsageError
from facekit.evaluation.protocols.pairs import PAIR_LIST
from facekit.pipeline.photos import PhotoFailure, embed_each, without_pictures
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture, Verification
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free, write_atomically
from facekit.system.inputs import read_input
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.metrics import distance
from facekit.template.threshold import Threshold, ThresholdChoice


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """One line of a pair list: the paths of two photos."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class VerifiedPair:
    """The result of one pair: exactly one of `verification` and `failure` is set."""

    pair: PhotoPair
    verification: Verification | None
    failure: PhotoFailure | None
    """The first of the pair's photos without an embedding."""
    threshold: Threshold
    metric: Metric

    @property
    def error(self) -> FacekitError | None:
        """The reason why there is no decision; None if there is one."""
        return None if self.failure is None else self.failure.error

    @property
    def threshold_distance(self) -> float:
        """The maximum distance of a match, in `metric`; also set if the pair failed."""
        return distance(self.threshold.similarity, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """Returns the pair with its verification's members, or with its error."""
        outcome = self.error if self.verification is None else self.verification
        assert outcome is not None  # one of the two is there
        return {"a": self.pair.a, "b": self.pair.b, **outcome.to_dict()}


@dataclass(frozen=True, slots=True)
class VerifiedList:
    """The result of a list of pairs, in a file if one was requested."""

    output: Path | None
    pairs: tuple[VerifiedPair, ...]

    @property
    def all_same(self) -> bool:
        """True if every pair with a decision is of one person."""
        return all(pair.verification for pair in self.pairs if pair.verification is not None)

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts and the failed photos, each once; the decisions are in the file."""
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
    """Returns results in the order of the pairs; a photo that fails makes only its pairs fail.

    Keeps 2 KB per photo: the embeddings, not the pixels.  See `embed_each` for `workers` and `ray`.
    Raises the errors of `open_pipeline`, `ThresholdChoice.of` and `embed_each`.
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
    """Verifies pairs like `verify_pairs`, with an open pipeline."""
    coming = embed_each(pipeline, photos_of(pairs), workers=workers, ray=ray)
    results = _compared(pipeline, pairs, coming, threshold, metric)
    return reporter.steps(results, length=len(pairs), label="verifying")


def read_pairs(path: Path) -> list[PhotoPair]:
    """Reads the pair list at `path`, "-" for standard input; see `parse_pairs`.

    Raises PairListError if it cannot be read.
    """
    return parse_pairs(read_input(path, PAIR_LIST), name=str(path))


def parse_pairs(content: bytes, *, name: str) -> list[PhotoPair]:
    """Parses CSV with two columns; a first line "a,b" is a heading, and blank lines are skipped.

    Raises PairListError, which names the file, the line and the fault.
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
    """Returns each photo once, in the order of first use."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))


def require_list_file(output: Path, *, force: bool) -> None:
    """Raises UsageError if the suffix is not .csv or .jsonl, or if the file exists and not
    `force`."""
    if output.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError(f"-o must end in .csv or .jsonl. Received: {output}")
    require_free(output, force=force)


def is_json_list(output: Path) -> bool:
    """True if the list is written as JSON Lines, False for CSV."""
    return output.suffix.lower() == ".jsonl"


def write_lines(output: Path, lines: Iterable[str]) -> None:
    """Writes lines, which include their line ends, as UTF-8, completely or not at all.

    Raises StorageError if the file cannot be written.
    """
    write_atomically(output, "".join(lines).encode(errors="backslashreplace"))


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
