"""Compares every photo with every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.photo.reading import PictureSource
from facekit.photo.sources import list_pictures
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.pipeline import Pipeline
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import DeviceUse
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.match import similarity_matrix
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMatrix:
    """The similarities between all pairs of N faces."""

    faces: tuple[tuple[str, int], ...]
    """(N,) name of the photo, and index of the face among the selected faces of the photo, from
    0."""
    similarity: Float32Array
    """(N, N) cosine similarities, -1..1."""
    model: str
    """The model as "name:variant"."""
    model_sha256: str
    device: DeviceUse
    failures: tuple[PhotoFailure, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Returns (N,) labels: the photo's name, or NAME#0, NAME#1 if the photo has several
        faces."""
        count = Counter(photo for photo, _ in self.faces)
        return tuple(photo if count[photo] == 1 else f"{photo}#{n}" for photo, n in self.faces)

    def pairs(self) -> list[tuple[int, int, float]]:
        """Returns all pairs of faces as (row, column, similarity), row < column, most similar
        first."""
        rows, columns = np.triu_indices(len(self.labels), k=1)
        values = self.similarity[rows, columns]
        order = np.argsort(-values, kind="stable")
        return list(
            zip(rows[order].tolist(), columns[order].tolist(), values[order].tolist(), strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "faces": [{"photo": photo, "face": number} for photo, number in self.faces],
            "similarity": self.similarity.tolist(),
            "model": self.model,
            "model_sha256": self.model_sha256,
            **self.device.to_dict(),
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def __repr__(self) -> str:
        return f"SimilarityMatrix({len(self.faces)} faces, model={self.model!r})"


def compare(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> SimilarityMatrix:
    """Compares every photo with every other; a folder stands for the photos below it.

    A photo that cannot be used is reported and becomes a failure; the others are compared.
    Raises ImageError for a folder without a photo, and the errors of `open_pipeline`.
    """
    names = list_pictures(photos)
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    return compare_photos(pipeline, names, reporter=reporter)


def compare_photos(
    pipeline: Pipeline, photos: Sequence[PictureSource], *, reporter: Reporter = SILENT
) -> SimilarityMatrix:
    """Compares photos like `compare`, with an open pipeline."""
    faces: list[tuple[str, int]] = []
    vectors = [np.zeros((0, pipeline.model.card.embedding_size), np.float32)]
    failures = []
    for result in embed_each(pipeline, photos, reporter=reporter):
        if isinstance(result, PhotoFailure):
            failures.append(result)
            reporter.failure(result.error)
            continue
        faces += [(result.name, number) for number in range(len(result.embeddings))]
        vectors.append(result.embeddings)
    stacked = np.concatenate(vectors)
    return SimilarityMatrix(
        faces=tuple(faces),
        similarity=similarity_matrix(stacked, stacked),
        model=pipeline.model_name,
        model_sha256=pipeline.model.card.file_sha256,
        device=pipeline.device_use,
        failures=tuple(failures),
    )
