"""Whether two nets answer one picture alike."""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

GREATEST_DIFFERENCE = 1e-5
"""between two unit-length embeddings of one picture, in any of their numbers"""


def require_same_answer(ours: Float32Array, theirs: Float32Array, which: str) -> None:
    """Raises ModelBuildError where two nets' embeddings, (N, D) each, differ in direction."""
    difference = (
        float(np.abs(_directions(ours) - _directions(theirs)).max())
        if ours.shape == theirs.shape
        else np.nan
    )
    if not difference <= GREATEST_DIFFERENCE:  # also for NaN
        raise ModelBuildError(
            f"{which} and the graph that was filled from it do not agree on a known picture: "
            f"greatest difference {difference:.2g}, {GREATEST_DIFFERENCE} allowed."
        )


def _directions(vectors: Float32Array) -> Float32Array:
    """(N, D), each row of unit length; a row of zeros is NaN, which agrees with nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
