"""Whether a network tells the faces apart that ship with facekit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facekit.conversion.shipped_faces import portraits
from facekit.enums import Flip
from facekit.errors import ModelBuildError
from facekit.runtime.net import Net
from facekit.template.embedder import Embedder
from facekit.types import CropSpec, InputSpec

LEAST_GAP = 0.05
"""in cosine; facenet512-casia and SFace have 0.47 and more"""
_CONSTANT = 1e-6
"""Embeddings of unit length that differ by no more than this in any number are one."""


@dataclass(frozen=True, slots=True)
class FaceCheck:
    """Cosines of the faces that ship with facekit: two photos of one person, one of another."""

    genuine_similarity: float
    impostor_similarity: float
    """the greater one of two pairs"""

    @property
    def tells_apart(self) -> bool:
        """By at least LEAST_GAP, which random weights have by chance alone."""
        return self.gap >= LEAST_GAP

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
    """Raises ModelBuildError for embeddings that are not finite, are zero, or are all the same."""
    embedder = Embedder(
        net,
        name="the network",
        spec=spec,
        output_size=net.outputs[0].shape[1],
        flip=flip,
        mean=None,
    )
    try:
        vectors = embedder.embed_uncentered(portraits(spec, crop))
    except ValueError as error:
        raise ModelBuildError(f"The network gives a face no embedding: {error}") from error
    if float(np.ptp(vectors, axis=0).max()) <= _CONSTANT:
        raise ModelBuildError(
            "The network gives three faces one embedding: its output is constant. Check that its "
            "weights are in the file, and how it is fed."
        )
    cosines = vectors @ vectors.T
    return FaceCheck(float(cosines[0, 1]), float(max(cosines[0, 2], cosines[1, 2])))
