"""Many pictures to embeddings, here, by processes or on a cluster; a bad one is a record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from facekit.errors import FacekitError, ImageError, UsageError
from facekit.model.store import find
from facekit.pipeline.pipeline import EmbeddedPicture, Pipeline, PipelineOptions
from facekit.runtime.delegates import DelegateRequest
from facekit.system.processes import Crash, available_cores, map_processes
from facekit.system.ray_cluster import map_ray
from facekit.template.file import EmbeddingRow

_WORTH_A_WORKER = 16
"""Photos.  A worker costs 0.6 s of processor time before its first photo, as much as 8 photos;
with twice as many each, a second one has paid for itself."""


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What came of one picture: exactly one of `embedded` and `error` is set."""

    name: str
    embedded: EmbeddedPicture | None
    error: FacekitError | None


def worth_workers(names: Sequence[str], *, request: DelegateRequest | None = None) -> int:
    """How many worker processes these photos pay for; 1 means none: embed them here.

    An accelerator (`request`) is used by this process alone.
    """
    if "-" in names or (request is not None and request.is_delegated):
        return 1
    return max(1, min(available_cores(), len(names) // _WORTH_A_WORKER))


def embed_each(
    pipeline: Pipeline, names: Sequence[str], *, workers: int | None = 1, ray: str | None = None
) -> Iterator[EmbedResult]:
    """Results in the order of the names.

    With more than one worker, each is a process with its own networks of one thread each; results
    then come without pixels and crops.  A photo that ends two workers is an ImageError.
    `ray` is a cluster's address (see `map_ray`) whose nodes reach photos and models by the paths
    they have here.  workers=None is as many as the photos pay for, or the cluster's cores.
    Raises UsageError where workers would have to read standard input or share an accelerator.
    """
    if workers is None and ray is None:
        workers = worth_workers(names, request=pipeline.options.accelerator)
    if workers == 1 and ray is None:
        return (_embed_one(pipeline, name) for name in names)
    if pipeline.options.accelerator.is_delegated:
        raise UsageError("An accelerator is used by one process: pass --workers 1, without --ray.")
    if "-" in names:
        raise UsageError("Worker processes cannot read standard input: pass --workers 1.")
    return _by_workers(pipeline, names, workers, ray)


def without_pictures(embedded: EmbeddedPicture) -> EmbeddedPicture:
    """2 KB a face instead of megabytes: the embeddings, not the pixels."""
    return replace(embedded, crops=embedded.crops[:0], pixels=None)


def _embed_one(pipeline: Pipeline, name: str) -> EmbedResult:
    try:
        (embedded,) = pipeline.embed([name])
    except FacekitError as error:
        return EmbedResult(name, None, error)
    return EmbedResult(name, embedded, None)


def _by_workers(
    pipeline: Pipeline, names: Sequence[str], workers: int | None, ray: str | None
) -> Iterator[EmbedResult]:
    make = _MakeEmbed(pipeline.model.path.absolute(), pipeline.options)
    crew = min(workers or len(names), max(len(names), 1))
    results = (
        map_processes(make, names, workers=crew)
        if ray is None
        else map_ray(make, map(os.path.abspath, names), address=ray, workers=crew)
    )
    for name, result in zip(names, results, strict=True):
        if isinstance(result, Crash):
            code = "" if result.exit_code is None else f" with exit code {result.exit_code}"
            error = ImageError(
                f"{name}: two processes ended while they worked on it, the second{code}. Look at "
                "it with facekit detect; where memory is short, pass fewer --workers."
            )
            yield EmbedResult(name, None, error)
        elif result.embedded is None:
            yield replace(result, name=name)
        else:
            yield replace(result, name=name, embedded=replace(result.embedded, name=name))


@dataclass(frozen=True, slots=True)
class _MakeEmbed:
    """Makes a worker's pipeline; one thread a network, since the workers fill the cores."""

    model: Path
    options: PipelineOptions

    def __call__(self) -> Callable[[str], EmbedResult]:
        cv2.setNumThreads(1)
        options = replace(self.options, threads=1, locate=replace(self.options.locate, threads=1))
        pipeline = Pipeline(find(self.model), options=options)

        def embed(name: str) -> EmbedResult:
            result = _embed_one(pipeline, name)
            if result.embedded is None:
                return result
            return replace(result, embedded=without_pictures(result.embedded))

        return embed


def embedding_rows(result: EmbedResult) -> list[EmbeddingRow]:
    """One row a face, or one row with the error."""
    embedded = result.embedded
    if embedded is None:
        error = f"{type(result.error).__name__}: {result.error}"
        return [EmbeddingRow(result.name, "", 0, None, None, None, error)]
    return [
        EmbeddingRow(
            name=embedded.name,
            photo_sha256=embedded.photo_sha256,
            face=place,
            box_xyxy=None if face is None else tuple(face.box_xyxy.tolist()),
            score=None if face is None else face.score,
            vector=vector,
        )
        for place, (face, vector) in enumerate(
            zip(embedded.faces, embedded.embeddings, strict=True)
        )
    ]
