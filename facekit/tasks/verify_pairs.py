"""Verifies many pairs in one process: each photo is decoded and embedded once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facekit.enums import Metric
from facekit.errors import FacekitError, UsageError
from facekit.face.quality import require_quality
from facekit.photo.pair_table import Column, PairRow, PairTable, read_pair_table
from facekit.pipeline.photos import PhotoFailure, embed_each, without_pictures
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture, Verification
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free, write_atomically
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.metrics import distance
from facekit.template.threshold import Threshold, ThresholdChoice


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """One line of a pair list."""

    a: str
    """The path of a photo, as the list has it."""
    b: str
    folder: str = ""
    """The folder of the list, in which the photos are looked for first; "" for none."""
    others: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The list's other columns by their names, which the result carries along."""


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
        listed = {"a": self.pair.a, "b": self.pair.b, "columns": dict(self.pair.others)}
        return {**listed, **outcome.to_dict()}


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
    min_quality: float | None = None,
    workers: int | None = None,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[VerifiedPair]:
    """Returns results in the order of the pairs; a photo that fails makes only its pairs fail.

    `min_quality`: the least unified quality score, 0..100, of the two faces that decide; a pair
    with a poorer one fails.  Keeps 2 KB per photo: the embeddings, not the pixels.  See
    `embed_each` for `workers` and `ray`.
    Raises the errors of `open_pipeline`, `ThresholdChoice.of` and `embed_each`.
    """
    threshold = threshold or ThresholdChoice()
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    return verify_each(
        pipeline,
        pairs,
        threshold=pipeline.threshold(threshold),
        metric=threshold.metric,
        min_quality=min_quality,
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
    min_quality: float | None = None,
    workers: int | None = 1,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[VerifiedPair]:
    """Verifies pairs like `verify_pairs`, with an open pipeline."""
    paths = {name: _beside(pair.folder, name) for pair in pairs for name in (pair.a, pair.b)}
    coming = (
        replace(result, name=name)
        for name, result in zip(
            paths, embed_each(pipeline, list(paths.values()), workers=workers, ray=ray), strict=True
        )
    )
    results = _compared(pipeline, pairs, coming, threshold, metric, min_quality)
    return reporter.steps(results, length=len(pairs), label="verifying")


RESULT_COLUMNS = (
    *("verified", "similarity", "distance", "threshold", "threshold_similarity"),
    *("similarity_metric", "face_count_a", "face_count_b", "measured_by", "error"),
)
"""The columns of a written list beside the paths and the columns of the list that was read."""


def read_pairs(path: Path) -> list[PhotoPair]:
    """Reads the pair list at `path`, "-" for standard input: facekit.photo.pair_table.

    A path is relative to the list's folder, or to the current folder if it is not there.  Columns
    that an earlier verification wrote are left out.  Raises PairListError.
    """
    table = read_pair_table(path)
    folder = "" if str(path) == "-" else os.path.dirname(path)
    return [PhotoPair(row.a, row.b, folder, _others(table, row)) for row in table.rows]


def _beside(folder: str, photo: str) -> str:
    """Returns the path of a photo in the list's folder, if it is there, else the path as it is."""
    there = os.path.join(folder, photo)
    return there if photo != "-" and os.path.isfile(there) else photo


def _others(table: PairTable, row: PairRow) -> dict[str, str]:
    known = {
        name: row.values[column]
        for column, name in table.names.items()
        if column not in (Column.A, Column.B)
    }
    return {
        name: cell
        for name, cell in (known | dict(row.others)).items()
        if name not in RESULT_COLUMNS
    }


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
    min_quality: float | None,
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
            failure = _too_poor(verification, min_quality)
            verification = None if failure else verification
        yield VerifiedPair(pair, verification, failure, threshold, metric)


def _too_poor(verification: Verification, min_quality: float | None) -> PhotoFailure | None:
    """Returns the failure of the first photo whose face is below `min_quality`."""
    for picture, index in verification.deciding:
        try:
            require_quality(picture.qualities[index], min_quality, name=picture.name)
        except FacekitError as error:
            return PhotoFailure(picture.name, error)
    return None
