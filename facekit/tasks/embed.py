"""Embeds photos and writes a file of embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.photo.sources import list_pictures
from facekit.pipeline.photos import PhotoFailure, embed_each
from facekit.pipeline.records import EmbeddedPicture
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import DeviceUse
from facekit.system.files import require_free
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.file import SUFFIXES, write_embeddings
from facekit.template.table import EmbeddingRow, EmbeddingTable


@dataclass(frozen=True, slots=True)
class EmbeddedFile:
    """An embedding file that was written."""

    output: Path
    photo_count: int
    embedding_count: int
    """Number of rows with an embedding, one per face."""
    failures: tuple[PhotoFailure, ...]
    """Photos whose rows have an error instead of an embedding."""
    model: str
    """The model as "name:variant"."""
    model_sha256: str
    device: DeviceUse

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "photo_count": self.photo_count,
            "embedding_count": self.embedding_count,
            "failed": [failure.to_dict() for failure in self.failures],
            "model": self.model,
            "model_sha256": self.model_sha256,
            **self.device.to_dict(),
        }


def embed(
    photos: Iterable[str],
    output: Path,
    *,
    request: PipelineRequest | None = None,
    force: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> EmbeddedFile:
    """Writes the embeddings of photos, and of the photos below folders, to `output`.

    A photo without an embedding becomes a row with its error and is reported.  `force`: replace an
    existing file.  See `embed_each` for `workers` and `ray`.
    Raises UsageError for an existing file or a suffix other than .npz, .csv and .jsonl, ImageError
    for a folder without a photo, StorageError, and the errors of `open_pipeline` and `embed_each`.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"-o must end in {', '.join(SUFFIXES)}. Received: {output}")
    require_free(output, force=force)
    names = list_pictures(photos)
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    rows: list[EmbeddingRow] = []
    failures = []
    for result in embed_each(pipeline, names, workers=workers, ray=ray, reporter=reporter):
        if isinstance(result, PhotoFailure):
            failures.append(result)
            reporter.failure(result.error)
            rows.append(EmbeddingRow(result.name, "", 0, None, None, None, _error_text(result)))
        else:
            rows += _rows(result)
    model_sha256 = pipeline.model.card.file_sha256
    write_embeddings(
        output,
        EmbeddingTable(
            space=pipeline.space,
            mean=pipeline.model.card.calibration.embedding_mean,
            rows=tuple(rows),
        ),
    )
    return EmbeddedFile(
        output=output,
        photo_count=len(names),
        embedding_count=len(rows) - len(failures),
        failures=tuple(failures),
        model=pipeline.model_name,
        model_sha256=model_sha256,
        device=pipeline.device_use,
    )


def _rows(embedded: EmbeddedPicture) -> list[EmbeddingRow]:
    """Returns one row per face."""
    return [
        EmbeddingRow(
            photo=embedded.name,
            photo_sha256=embedded.photo_sha256,
            face=index,
            box_xyxy=None if face is None else face.rounded_box,
            score=None if face is None else face.score,
            vector=vector,
        )
        for index, (face, vector) in enumerate(
            zip(embedded.faces, embedded.embeddings, strict=True)
        )
    ]


def _error_text(failure: PhotoFailure) -> str:
    return f"{type(failure.error).__name__}: {failure.error}"
