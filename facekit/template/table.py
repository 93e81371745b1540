"""The content of a file of embeddings, whatever its format; see file.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facekit.template.match import recentered
from facekit.template.space import TemplateSpace, mean_sha256_of
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingRow:
    """One embedded face, or one photo without an embedding."""

    photo: str
    photo_sha256: str
    face: int
    """Index among the photo's selected faces, from 0."""
    box_xyxy: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 in pixels of the photo; None for a crop or a failure."""
    score: float | None
    vector: Float32Array | None
    """(D,) float32 of unit length; None for a failure."""
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingTable:
    """The rows of one file; all vectors are of one space."""

    space: TemplateSpace
    mean: Float32Array | None
    """The mean (D,) that was subtracted from the vectors.

    None if the vectors are not centered, or if the row with the mean was removed from the file.
    """
    rows: tuple[EmbeddingRow, ...]

    @property
    def vectors(self) -> Float32Array:
        """The (N, D) float32 vectors of the rows with a vector."""
        good = [row.vector for row in self.rows if row.vector is not None]
        return np.stack(good) if good else np.zeros((0, self.space.size), np.float32)

    def vectors_in(
        self, space: TemplateSpace, mean: Float32Array | None, *, where: str
    ) -> Float32Array:
        """Returns the (N, D) float32 vectors in `space`, whose mean embedding is `mean`.

        If the file has another mean, the vectors are converted; the result equals embedding the
        photos anew within 1e-6.  Raises ModelMismatchError, which names `where` and the field, if
        the spaces differ in anything else, or if the file lacks the mean for the conversion.
        """
        if self.space.differs_by_mean_alone(space) and self._has_mean:
            return recentered(self.vectors, self.mean, mean)
        self.space.require_same(space, where=where)
        return self.vectors

    @property
    def _has_mean(self) -> bool:
        return mean_sha256_of(self.mean) == self.space.mean_sha256
