"""Reads an embedding file as one side of a comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facekit.errors import AmbiguousFaceError, EmbeddingFileError
from facekit.model.card import Card
from facekit.photo.reading import PictureSource
from facekit.pipeline.records import EmbeddedPicture, FaceOrigin
from facekit.template.file import SUFFIXES, read_embeddings
from facekit.template.space import TemplateSpace


def is_embedding_file(source: PictureSource) -> bool:
    """Returns whether a path ends as embedding files do."""
    return isinstance(source, (str, Path)) and Path(source).suffix.lower() in SUFFIXES


def from_embedding_file(
    path: Path, card: Card, space: TemplateSpace, *, several: bool
) -> EmbeddedPicture:
    """Returns the rows of a file with an embedding, in `space`, without pixels or crops.

    `card`: the card of the model that is used.  `several`: False if there must be one row alone.
    Raises EmbeddingFileError, ModelMismatchError for embeddings of another model or space, and
    AmbiguousFaceError for a second row.
    """
    table = read_embeddings(path)
    vectors = table.vectors_in(space, card.calibration.embedding_mean, where=str(path))
    if not len(vectors):
        raise EmbeddingFileError(f"{path}: no row has an embedding.")
    if len(vectors) > 1 and not several:
        raise AmbiguousFaceError(
            f"{path}: one embedding needed, the file has {len(vectors)}. Pass a file with one "
            "row, or --face all to compare with every row."
        )
    size = card.input
    return EmbeddedPicture(
        name=str(path),
        photo_sha256=table.rows[0].photo_sha256,
        face_count=None,
        faces=(None,) * len(vectors),
        qualities=(None,) * len(vectors),
        crops=np.zeros((0, size.height_px, size.width_px, 3), np.uint8),
        embeddings=vectors,
        origins=tuple(
            FaceOrigin(row.photo, row.photo_sha256, row.face, number)
            for number, row in enumerate(table.rows, 1)
            if row.vector is not None
        ),
    )
