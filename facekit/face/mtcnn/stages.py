"""Runs the three stages of the cascade.

P-Net rates every window at every scale, coarsely.  R-Net rejects most of P-Net's proposals and
refines the boxes of the rest.  O-Net decides which of these boxes are faces, refines them and
locates five landmarks.

The functions here expect images (H, W, 3) as network input, i.e. scaled as MTCNN requires (see
cascade.py).  Boxes are in pixels of this image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.face.geometry import Overlap, squares, suppressed
from facekit.face.mtcnn.options import PNET_WINDOW_PX, MtcnnOptions
from facekit.face.mtcnn.pyramid import level, pyramid_scales
from facekit.face.mtcnn.windows import windows
from facekit.runtime.net import Net
from facekit.types import Face, Float32Array

_PNET_STRIDE_PX = 2  # from its only pooling layer
RNET_SIDE_PX = 24
ONET_SIDE_PX = 48


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that may contain a face, in pixels of the searched photo."""

    boxes: Float32Array
    """(N, 4): x1, y1, x2, y2; a box may reach beyond the photo."""
    scores: Float32Array
    """(N,): face probability, 0..1."""

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.scores), 4) or self.scores.ndim != 1:
            raise ValueError(
                "Boxes (N, 4) and scores (N,) needed. "
                f"Received: {self.boxes.shape}, {self.scores.shape}"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, indices: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """Returns the candidates at indices (K,), or for which a mask (N,) is True."""
        return Candidates(self.boxes[indices], self.scores[indices])

    def unsuppressed(self, threshold: float) -> Candidates:
        """Returns the candidates that no better one overlaps by more than this IoU, best first."""
        return self.at(
            suppressed(self.boxes, self.scores, threshold=threshold, measure=Overlap.UNION)
        )


def propose(image: Float32Array, pnet: Net, options: MtcnnOptions) -> Candidates:
    """Runs P-Net on (H, W, 3) model input; returns square candidates, best first."""
    height, width = image.shape[:2]
    scales = pyramid_scales(
        height, width, min_face_px=options.min_face_px, scale_factor=options.scale_factor
    )
    found = [_of_level(image, scale, pnet, options) for scale in scales]
    if not found:
        return Candidates(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    together = Candidates(
        np.concatenate([one.boxes for one in found]), np.concatenate([one.scores for one in found])
    ).unsuppressed(options.proposal_overlap)
    return Candidates(squares(together.boxes), together.scores)


def _of_level(image: Float32Array, scale: float, pnet: Net, options: MtcnnOptions) -> Candidates:
    """Returns P-Net's candidates in one level of the pyramid of (H, W, 3) input, best first."""
    offsets, probability = pnet.run(level(image, scale)[None])
    return cells(
        offsets[0], probability[0], scale=scale, threshold=options.stage_thresholds[0]
    ).unsuppressed(options.level_overlap)


def cells(
    offsets: Float32Array, probability: Float32Array, *, scale: float, threshold: float
) -> Candidates:
    """Decodes P-Net's maps (h, w, 4) and (h, w, 2): boxes of cells whose probability > threshold.

    The cell at (row, column) is the score of the 12 x 12 window whose top left corner in the level
    is x = 2 * column, y = 2 * row.  The offsets move the window's corners, in units of the window's
    side.  Boxes are in pixels of the photo, not of the level.

    NB: the window's corners are its first and last pixel in MATLAB's numbering, 1 and 12.
    """
    scores = probability[..., 1]
    rows, columns = np.nonzero(scores > threshold)
    corners = np.stack([columns, rows], axis=1).astype(np.float32) * np.float32(_PNET_STRIDE_PX)
    window = np.concatenate([corners + np.float32(1), corners + np.float32(PNET_WINDOW_PX)], axis=1)
    boxes = (window + offsets[rows, columns] * np.float32(PNET_WINDOW_PX - 1)) / np.float32(scale)
    return Candidates(boxes, scores[rows, columns])


def refine(
    image: Float32Array, proposals: Candidates, rnet: Net, options: MtcnnOptions
) -> Candidates:
    """Runs R-Net on square proposals of (H, W, 3) input; returns square candidates, best first."""
    offsets, probability = rnet.run(windows(image, proposals.boxes, side_px=RNET_SIDE_PX))
    judged = Candidates(regressed(proposals.boxes, offsets), probability[:, 1])
    passed = judged.at(judged.scores > options.stage_thresholds[1])
    kept = passed.unsuppressed(options.refined_overlap)
    return Candidates(squares(kept.boxes), kept.scores)


def decide_faces(
    image: Float32Array, candidates: Candidates, onet: Net, options: MtcnnOptions
) -> tuple[Face, ...]:
    """Runs O-Net on square candidates of (H, W, 3) input; returns faces, best first."""
    offsets, points, probability = onet.run(windows(image, candidates.boxes, side_px=ONET_SIDE_PX))
    scores = probability[:, 1]
    passed = scores > options.stage_thresholds[2]
    scores = scores[passed]
    boxes = regressed(candidates.boxes, offsets)[passed]
    landmarks = placed(candidates.boxes, points)[passed]
    best = suppressed(boxes, scores, threshold=options.face_overlap, measure=Overlap.SMALLER)
    return tuple(
        Face(boxes[index], landmarks[index], min(float(scores[index]), 1.0)) for index in best
    )


def placed(boxes: Float32Array, points: Float32Array) -> Float32Array:
    """Converts landmarks (N, 10), x1..x5 y1..y5 in units of the box's sides, to (N, 5, 2) px.

    NB: one is added to each side length and subtracted from each landmark, as in the authors'
    MATLAB code, which numbers pixels from 1.
    """
    in_box_units = np.stack([points[:, :5], points[:, 5:]], axis=2)  # (N, 5, 2)
    sizes = boxes[:, None, 2:] - boxes[:, None, :2] + np.float32(1)
    return np.asarray(boxes[:, None, :2] + in_box_units * sizes - np.float32(1))


def regressed(boxes: Float32Array, offsets: Float32Array) -> Float32Array:
    """Moves each corner of (N, 4) boxes by R- or O-Net's offsets (N, 4), in units of the sides.

    NB: one is added to each side length, as in the authors' MATLAB code, because a side is counted
    from the first to the last pixel.
    """
    sizes = boxes[:, 2:] - boxes[:, :2] + np.float32(1)
    return np.asarray(boxes + offsets * np.tile(sizes, 2))
