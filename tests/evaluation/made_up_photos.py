"""Embeddings of photos that nobody took, for tests of what is made from embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.evaluation.embeddings import PhotoEmbeddings
from facekit.evaluation.protocols.pairs import Pair, PairList, Photo
from facekit.evaluation.records import DataSetReport, EvaluationReport
from facekit.template.match import unit_length


def photo(person: int, number: int) -> Photo:
    name = f"Person_{person:03d}"
    return Photo(f"{name}/{name}_{number:04d}.jpg", name)


def pair_list(n_folds: int, n_each: int, *, first_person: int = 0, name: str = "p.txt") -> PairList:
    """Person k twice, and persons k and k + 1, for n_each people a fold."""
    folds = []
    for fold in range(n_folds):
        people = range(first_person + fold * n_each, first_person + (fold + 1) * n_each)
        genuine = [Pair(photo(k, 1), photo(k, 2), True, 2 + k) for k in people]
        impostor = [Pair(photo(k, 1), photo(k + 1, 1), False, 1002 + k) for k in people]
        folds.append((*genuine, *impostor))
    return PairList(name, tuple(folds), "0" * 32)


def whole(*reports: DataSetReport) -> EvaluationReport:
    return EvaluationReport("2026-01-02T03:04:05+00:00", "0.0.0", reports)


def embeddings(
    photos: Sequence[Photo], *, views: int = 1, failed: Sequence[int] = (), seed: int = 0
) -> PhotoEmbeddings:
    """A direction a person, noise a photo, and an offset that all share, as real faces have."""
    random = np.random.default_rng(seed)
    people = sorted({one.person or "" for one in photos})
    center = dict(zip(people, random.normal(size=(len(people), 32)), strict=True))
    raw = np.array([center[one.person or ""] for one in photos])[:, np.newaxis]
    noise = random.normal(size=(len(photos), views, 32))
    vectors = unit_length((raw + 0.7 * noise + 1.0).reshape(-1, 32).astype(np.float32))
    vectors = vectors.reshape(len(photos), views, 32)
    errors = [""] * len(photos)
    for row in failed:
        vectors[row] = 0
        errors[row] = "NoFaceError: no face"
    return PhotoEmbeddings(vectors, tuple(errors), computed=0)
