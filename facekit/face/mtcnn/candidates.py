"""What one stage of the cascade hands to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.face.geometry import Overlap, suppressed
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that may hold a face, in pixels of the searched picture."""

    boxes: Float32Array
    """(N, 4): x1, y1, x2, y2; may reach beyond the picture"""
    scores: Float32Array
    """(N,): face probability, 0..1"""

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.scores), 4) or self.scores.ndim != 1:
            raise ValueError(
                "Boxes (N, 4) and scores (N,) needed. "
                f"Received: {self.boxes.shape}, {self.scores.shape}"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """Those at these indices, or where this mask is true."""
        return Candidates(self.boxes[places], self.scores[places])

    def unsuppressed(self, threshold: float) -> Candidates:
        """Those that no better one overlaps by more than this IoU, best first."""
        return self.at(
            suppressed(self.boxes, self.scores, threshold=threshold, measure=Overlap.UNION)
        )


def regressed(boxes: Float32Array, offsets: Float32Array) -> Float32Array:
    """(N, 4), (N, 4) in box sides -> (N, 4): each corner moved by R- or O-Net's offset.

    NB: sides count from the first pixel to the last, hence + 1, as in the authors' MATLAB code.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(1)
    return np.asarray(boxes + offsets * np.tile(sides, 2))
