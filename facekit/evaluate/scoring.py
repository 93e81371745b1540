"""From the embeddings of photos to the similarities of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Flip
from facekit.errors import InputError
from facekit.evaluate.embeddings import PhotoEmbeddings
from facekit.evaluate.protocols.pairs import Pair, Photo
from facekit.template.match import centred, cosine_similarity, joined
from facekit.types import Float32Array


class PairScorer:
    """Scores pairs of the photos that were embedded; a photo without an embedding has no score."""

    def __init__(
        self,
        photos: Sequence[Photo],
        embeddings: PhotoEmbeddings,
        *,
        flip: Flip = Flip.NONE,
        mean: Float32Array | None = None,
        template_mean: Float32Array | None = None,
    ) -> None:
        """photos: those of `embeddings`, in that order; mean: (D,), taken off each view;
        template_mean: (D or 2 D,), taken off what the views become.

        Raises InputError where no photo has an embedding.
        """
        self._row = {photo.path: row for row, photo in enumerate(photos)}
        self.acquired = embeddings.acquired
        if not self.acquired.any():
            raise InputError(
                "No photo of the list gave an embedding. The first reason: "
                f"{next(iter(embeddings.errors), 'there is no photo')}"
            )
        self.unit = centred(
            _one_vector_each(embeddings.vectors[self.acquired], flip, mean), template_mean
        )
        """(acquired, D or 2 D) float32 of unit length"""
        self._place = np.cumsum(self.acquired) - 1  # row of `unit` of an acquired photo

    def mean_of(self, pairs: Sequence[Pair]) -> Float32Array:
        """(D or 2 D,): of both sides of the pairs, so a photo weighs as often as it occurs."""
        rows = self._rows(pairs).ravel()
        used = self._place[rows[self.acquired[rows]]]
        if not len(used):
            raise InputError("No photo of the training pairs gave an embedding.")
        return np.asarray(self.unit[used].mean(0, dtype=np.float64), np.float32)

    def scores(
        self, pairs: Sequence[Pair], *, mean: Float32Array | None = None
    ) -> NDArray[np.float64]:
        """(N,) cosine similarities, NaN for a pair without a score; `mean` is taken off first."""
        unit = self.unit if mean is None else centred(self.unit, mean)
        rows = self._rows(pairs)
        usable = self.acquired[rows].all(1)
        a, b = self._place[rows[usable]].T
        similarities = np.full(len(pairs), np.nan)
        similarities[usable] = cosine_similarity(unit[a], unit[b])
        return similarities

    def scored(
        self, pairs: Sequence[Pair], *, mean: Float32Array | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Similarities and truth of the pairs that have a score."""
        scores = self.scores(pairs, mean=mean)
        there = ~np.isnan(scores)
        return scores[there], np.array([pair.same for pair in pairs], bool)[there]

    def vectors_of(
        self, photos: Sequence[Photo], *, mean: Float32Array | None = None
    ) -> tuple[Float32Array, list[int]]:
        """Unit vectors of the photos that have one, and which of `photos` these are."""
        rows = np.array([self._row[photo.path] for photo in photos], np.intp)
        there = np.flatnonzero(self.acquired[rows])
        unit = self.unit[self._place[rows[there]]]
        return (unit if mean is None else centred(unit, mean)), there.tolist()

    def _rows(self, pairs: Sequence[Pair]) -> NDArray[np.intp]:
        return np.array(
            [(self._row[pair.a.path], self._row[pair.b.path]) for pair in pairs], np.intp
        ).reshape(-1, 2)


def _one_vector_each(views: Float32Array, flip: Flip, mean: Float32Array | None) -> Float32Array:
    """(N, views, D) unit vectors -> (N, D or 2 D) unit vectors."""
    by_view = [centred(views[:, number], mean) for number in range(views.shape[1])]
    return joined(np.stack(by_view, axis=1), flip)
