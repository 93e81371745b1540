"""Many pictures to embeddings, one at a time; a bad one is a record, not the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facekit.embedding_file import EmbeddingRow
from facekit.errors import FacekitError
from facekit.pipeline import EmbeddedPicture, Pipeline


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What came of one picture: exactly one of `embedded` and `error` is set."""

    name: str
    embedded: EmbeddedPicture | None
    error: FacekitError | None


def embed_each(pipeline: Pipeline, names: Iterable[str]) -> Iterator[EmbedResult]:
    """Results in the order of the names."""
    for name in names:
        try:
            (embedded,) = pipeline.embed([name])
        except FacekitError as error:
            yield EmbedResult(name, None, error)
        else:
            yield EmbedResult(name, embedded, None)


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
