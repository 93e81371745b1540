"""Compares unit vectors and decides whether two of them belong to one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facekit.enums import Flip
from facekit.errors import ModelMismatchError
from facekit.types import Float32Array

_UNIT_NORM_TOLERANCE = (
    1e-3  # float16 storage changes a length by up to 5e-4; a raw embedding is off by far more
)


def unit_length(vectors: Float32Array) -> Float32Array:
    """Divides each row of (N, D) by its L2 norm; returns (N, D) float32.

    Raises ValueError for a row of zero length or with values that are not finite.
    """
    with np.errstate(over="ignore"):  # infinity is refused below
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise ValueError("Every vector must be finite and not zero to be given unit length.")
    return np.asarray(vectors / norms, dtype=np.float32)


def centered(vectors: Float32Array, mean: Float32Array | None) -> Float32Array:
    """Scales (N, D) vectors to unit length, subtracts `mean` (D,) and scales to unit length again.

    Returns (N, D) float32.  If `mean` is None, the vectors are only scaled.  The mean embedding of
    many people is the part that all faces have in common; if it is not subtracted, the cosines of
    impostors spread more (docs/explanation/accuracy.md).  Vectors must be centered exactly once
    before they are compared.  Raises the errors of `unit_length`.
    """
    unit = unit_length(vectors)
    return unit if mean is None else unit_length(unit - mean)


def recentered(
    vectors: Float32Array, old_mean: Float32Array | None, new_mean: Float32Array | None
) -> Float32Array:
    """Converts (N, D) unit vectors centered by `old_mean` to vectors centered by `new_mean`.

    Except for rounding, the result equals embedding the photos anew.  A template u of length 1 was
    centered to c = (u - m) / |u - m|, so that u = m + t c for a positive t.  From |u| = 1 follows
    t^2 + 2 t (m.c) + |m|^2 - 1 = 0.  The product of the roots, |m|^2 - 1, is negative, so
    t = sqrt((m.c)^2 + 1 - |m|^2) - m.c is the only positive root.  Templates of two views
    (Flip.CONCAT) also have length 1, so the same is true for them.  None means not centered.
    Raises ModelMismatchError if the old mean has length 1 or more, because means of different unit
    vectors are shorter.
    """
    unit = unit_length(vectors).astype(np.float64)
    if old_mean is not None:
        mean = old_mean.astype(np.float64)
        one_minus_squared_mean = 1.0 - float(mean @ mean)
        if not one_minus_squared_mean > 0:  # also for a mean that is not finite
            raise ModelMismatchError(
                "Templates about an embedding mean of length 1 or more cannot be brought over: "
                "embed the photos again."
            )
        along = unit @ mean
        factor = np.sqrt(along**2 + one_minus_squared_mean) - along
        unit = mean + factor[:, None] * unit
    if new_mean is not None:
        unit = unit - new_mean.astype(np.float64)
    return np.asarray(unit / np.linalg.norm(unit, axis=1, keepdims=True), np.float32)


def joined(views: Float32Array, flip: Flip) -> Float32Array:
    """Combines (N, 1 or 2, D) unit vectors, crop and mirror image, to (N, D or 2 D) of length 1.

    With NONE, only the first view is used.  With CONCAT, the views are concatenated, so that the
    cosine of two templates is the mean of the cosines of their views.  Otherwise the views are
    added.  Each view has unit length before they are combined, so that both have equal weight.
    Raises ValueError if a needed second view is missing.

    NB: this differs slightly from SphereFace's evaluation.m, which concatenates the raw outputs, so
    that the longer vector has more weight.
    """
    if flip is Flip.NONE:
        return unit_length(views[:, 0])
    if views.shape[1] != 2:
        raise ValueError(f"Two views needed for flip {flip.value}. Received: {views.shape}")
    if flip is Flip.CONCAT:
        return unit_length(views.reshape(len(views), views.shape[1] * views.shape[2]))
    return unit_length(views.sum(1, dtype=np.float32))


def cosine_similarity(a: Float32Array, b: Float32Array) -> Float32Array:
    """Returns (N,) float32 cosines, -1..1, of the rows of two (N, D) arrays of unit vectors.

    Raises ValueError if the shapes differ or rows are not of unit length.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"Two (N, D) arrays of one shape needed. Received: {a.shape}, {b.shape}")
    require_unit(a)
    require_unit(b)
    return np.asarray(np.clip(np.einsum("nd,nd->n", a, b), -1.0, 1.0), np.float32)


def similarity_matrix(a: Float32Array, b: Float32Array) -> Float32Array:
    """Returns the (N, M) float32 cosines, -1..1, of (N, D) with (M, D) unit vectors.

    Raises ValueError if the shapes do not fit or rows are not of unit length.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"(N, D) and (M, D) arrays needed. Received: {a.shape}, {b.shape}")
    require_unit(a)
    require_unit(b)
    return np.asarray(np.clip(a @ b.T, -1.0, 1.0), np.float32)


def has_unit_length(vector: Float32Array) -> bool:
    """Returns whether a vector (D,) is finite and of unit length."""
    with np.errstate(over="ignore"):
        return abs(float(np.linalg.norm(vector)) - 1.0) <= _UNIT_NORM_TOLERANCE


def require_unit(vectors: Float32Array) -> None:
    """Raises ValueError unless all rows of (N, D) are finite and of unit length."""
    with np.errstate(over="ignore"):  # an infinite norm is refused below
        off = np.abs(np.linalg.norm(vectors, axis=1) - 1.0)
    if len(off) and not float(off.max()) <= _UNIT_NORM_TOLERANCE:
        raise ValueError(f"Unit vectors needed. Received a norm that is off by {off.max():.3g}")


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision for one pair."""

    same: bool
    similarity: float
    """Cosine similarity, -1..1, of the centered unit vectors."""
    threshold_similarity: float
    """Minimum cosine similarity of a match."""


def decide(similarity: float, *, threshold_similarity: float) -> Decision:
    """Decides that two vectors are of the same person if similarity >= threshold_similarity."""
    return Decision(similarity >= threshold_similarity, similarity, threshold_similarity)
