"""Checks whether a network distinguishes the faces that are shipped with facekit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facekit.enums import Flip
from facekit.errors import ModelBuildError
from facekit.face.portraits import MIN_GAP, shipped_portraits
from facekit.runtime.net import Net
from facekit.template.embedder import Embedder
from facekit.types import CropSpec, InputSpec

_MAX_CONSTANT_DIFFERENCE = 1e-6
"""Embeddings of unit length count as equal if no element differs by more than this."""


@dataclass(frozen=True, slots=True)
class FaceCheck:
    """Cosine similarities of the shipped faces: two photos of one person and one of another."""

    genuine_similarity: float
    impostor_similarity: float
    """The larger similarity of the two pairs of different people."""

    @property
    def tells_apart(self) -> bool:
        """Whether `gap` is at least MIN_GAP."""
        return self.gap >= MIN_GAP

    @property
    def gap(self) -> float:
        return self.genuine_similarity - self.impostor_similarity

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "told_apart": self.tells_apart}

    def __str__(self) -> str:
        return (
            f"{self.genuine_similarity:.3f} for one person, {self.impostor_similarity:.3f} for two"
        )


def check_faces(net: Net, spec: InputSpec, crop: CropSpec, flip: Flip) -> FaceCheck:
    """Returns the similarities of the shipped faces.

    Raises ModelBuildError if embeddings are not finite, are zero, or are all equal.
    """
    embedder = Embedder(
        net,
        name="the network",
        spec=spec,
        output_size=net.outputs[0].shape[1],
        flip=flip,
        mean=None,
    )
    try:
        vectors = embedder.embed_uncentered(shipped_portraits(spec, crop))
    except ValueError as error:
        raise ModelBuildError(f"The network gives a face no embedding: {error}") from error
    if float(np.ptp(vectors, axis=0).max()) <= _MAX_CONSTANT_DIFFERENCE:
        raise ModelBuildError(
            "The network gives three faces one embedding: its output is constant. Check that its "
            "weights are in the file, and how it is fed."
        )
    cosines = vectors @ vectors.T
    return FaceCheck(float(cosines[0, 1]), float(max(cosines[0, 2], cosines[1, 2])))
