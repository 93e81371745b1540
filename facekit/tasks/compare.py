"""Every photo with every other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.photo.sources import list_pictures
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import DeviceUse
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.match import similarity_matrix
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMatrix:
    """How alike N faces are, each to each."""

    labels: tuple[str, ...]
    """(N,) photos by name; NAME#0, NAME#1 where a photo has several faces"""
    similarity: Float32Array
    """(N, N) cosine similarities, -1..1"""
    model: str
    """"name:variant" """
    model_sha256: str
    device: DeviceUse

    def pairs(self) -> list[tuple[int, int, float]]:
        """Every two faces as (row, column, similarity), row < column, the most alike first."""
        rows, columns = np.triu_indices(len(self.labels), k=1)
        values = self.similarity[rows, columns]
        order = np.argsort(-values, kind="stable")
        return list(
            zip(rows[order].tolist(), columns[order].tolist(), values[order].tolist(), strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "images": list(self.labels),
            "similarity": self.similarity.tolist(),
            "model": self.model,
            "model_sha256": self.model_sha256,
            **self.device.to_dict(),
        }

    def __repr__(self) -> str:
        return f"SimilarityMatrix({len(self.labels)} faces, model={self.model!r})"


def compare(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> SimilarityMatrix:
    """The similarity of every photo to every other; folders stand for the pictures below them.

    Raises what the first photo that cannot be used raises, ImageError for a folder without a
    picture, and what `open_pipeline` raises.
    """
    names = list_pictures(photos)
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    labels: list[str] = []
    vectors = []
    for result in embed_each(pipeline, names, reporter=reporter):
        if isinstance(result, PhotoFailure):
            raise result.error
        count = len(result.embeddings)
        labels += [result.name if count == 1 else f"{result.name}#{n}" for n in range(count)]
        vectors.append(result.embeddings)
    stacked = np.concatenate(vectors)
    return SimilarityMatrix(
        labels=tuple(labels),
        similarity=similarity_matrix(stacked, stacked),
        model=pipeline.model_name,
        model_sha256=pipeline.model.card.file_sha256,
        device=pipeline.device_use,
    )
