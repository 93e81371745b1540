"""Stage 1: P-Net looks at every place and size, roughly."""

from __future__ import annotations

import numpy as np

from facekit.face.geometry import squares
from facekit.face.mtcnn.candidates import Candidates
from facekit.face.mtcnn.options import PNET_WINDOW_PX, DetectorOptions
from facekit.face.mtcnn.pyramid import level, pyramid_scales
from facekit.runtime.net import Net
from facekit.types import Float32Array

_STRIDE_PX = 2  # P-Net's one pooling layer


def propose(image: Float32Array, pnet: Net, options: DetectorOptions) -> Candidates:
    """(H, W, 3) model input -> square candidates, best first."""
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


def _of_level(image: Float32Array, scale: float, pnet: Net, options: DetectorOptions) -> Candidates:
    offsets, probability = pnet.run(level(image, scale)[None])
    return cells(
        offsets[0], probability[0], scale=scale, threshold=options.stage_thresholds[0]
    ).unsuppressed(options.level_overlap)


def cells(
    offsets: Float32Array, probability: Float32Array, *, scale: float, threshold: float
) -> Candidates:
    """P-Net's maps (h, w, 4) and (h, w, 2) -> boxes of the cells whose probability exceeds.

    Cell (row, column) judges the 12-pixel window of the level at (2 column, 2 row); offsets move
    the window's corners by window sides.  Boxes are in pixels of the picture, not of the level.

    NB: the window's corners are its first and last pixel as MATLAB counts them, 1 and 12.
    """
    scores = probability[..., 1]
    rows, columns = np.nonzero(scores > threshold)
    places = np.stack([columns, rows], axis=1).astype(np.float32) * np.float32(_STRIDE_PX)
    window = np.concatenate([places + np.float32(1), places + np.float32(PNET_WINDOW_PX)], axis=1)
    boxes = (window + offsets[rows, columns] * np.float32(PNET_WINDOW_PX - 1)) / np.float32(scale)
    return Candidates(boxes, scores[rows, columns])
