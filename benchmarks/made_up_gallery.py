"""Templates of people who do not exist, as many as wanted: at random, or spread as faces are.

random   centers uniformly on the sphere, cosine 0 between people and 0.6 or so within one: the
         worst case for an approximate index, since nothing has neighbors but its own person.
faces    the two-covariance model (as of PLDA, Prince and Elder 2007): center ~ N(mean, B), template
         ~ N(center, W), of unit length; B and W are those of real embeddings, the covariance
         between the people of LFW's View 1 and within them.  No photo and no real person is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.gallery.search.exact import VectorTable
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.template.match import centered, unit_length
from facekit.types import Float32Array

SIZE = 512
A_PERSON = 5
BLOCK = 20_000  # templates made at a time
_SPREAD = 0.035  # of each coordinate of random templates


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How centers and templates are spread: mean, and square roots of two covariances."""

    mean: Float32Array
    between: Float32Array
    within: Float32Array

    def centers(self, count: int, seed: tuple[int, ...]) -> Float32Array:
        normal = np.random.default_rng(seed).standard_normal((count, SIZE), np.float32)
        return self.mean + normal @ self.between

    def about(self, centers: Float32Array, seed: tuple[int, ...]) -> Float32Array:
        """A template of each center, of unit length."""
        normal = np.random.default_rng(seed).standard_normal(centers.shape, np.float32)
        return unit_length(centers + normal @ self.within)


def random_spread() -> Spread:
    one = np.eye(SIZE, dtype=np.float32)
    return Spread(
        np.zeros(SIZE, np.float32), one * np.float32(SIZE**-0.5), one * np.float32(_SPREAD)
    )


def spread_of_faces(lfw: Path, *, workers: int = 2) -> Spread:
    vectors, people = view1_embeddings(lfw, workers=workers)
    names, own, counts = np.unique(people, return_inverse=True, return_counts=True)
    means = np.zeros((len(names), SIZE))
    np.add.at(means, own, vectors)
    means /= counts[:, None]
    several = counts[own] > 1
    inner = (vectors - means[own])[several]
    within = inner.T @ inner / (several.sum() - (counts > 1).sum())
    # A mean of n templates varies by B + W / n.
    between = np.cov(means.T) - within * float(np.mean(1 / counts))
    return Spread(means.mean(axis=0).astype(np.float32), _root(between), _root(within))


def view1_embeddings(lfw: Path, *, workers: int) -> tuple[NDArray[np.float64], list[str]]:
    """Centered, of unit length, of every photo with a face; and whose they are."""
    model = find(DEFAULT_MODEL)
    found = find_lfw(lfw)
    photos = read_protocol(found, Protocol.VIEW1).photos
    paths = [found.photos_dir / photo.path for photo in photos]
    embedded = embed_photos(paths, model, EmbedSettings(), workers=workers)
    kept = np.flatnonzero(embedded.acquired)
    vectors = centered(embedded.vectors[kept, 0], model.card.calibration.embedding_mean)
    return vectors.astype(np.float64), [str(photos[place].person) for place in kept]


def table(spread: Spread, templates: int) -> VectorTable:
    vectors = np.empty((templates, SIZE), np.float32)
    for start, block in zip(range(0, templates, BLOCK), blocks(spread, templates), strict=True):
        vectors[start : start + len(block)] = block
    ids = np.arange(1, templates + 1, dtype=np.int64)
    return VectorTable(ids, (ids - 1) // A_PERSON, vectors)


def blocks(spread: Spread, templates: int) -> Iterator[Float32Array]:
    """Person by person, A_PERSON templates each."""
    for number, start in enumerate(range(0, templates, BLOCK)):
        centers = spread.centers(BLOCK // A_PERSON, (0, number)).repeat(A_PERSON, axis=0)
        yield spread.about(centers, (1, number))[: min(BLOCK, templates - start)]


def probes(spread: Spread, templates: int, count: int, *, mated: bool) -> Float32Array:
    """(count, SIZE): further templates of enrolled people, or of others."""
    if not mated:
        return spread.about(spread.centers(count, (2,)), (3,))
    rng = np.random.default_rng(4)
    people = np.sort(rng.integers(0, max(1, templates // A_PERSON), count))
    a_block = BLOCK // A_PERSON
    centers = [
        spread.centers(a_block, (0, int(number)))[people[people // a_block == number] % a_block]
        for number in np.unique(people // a_block)
    ]
    return spread.about(np.concatenate(centers), (5,))


def _root(covariance: NDArray[np.float64]) -> Float32Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T, np.float32)
