"""Stage 3: O-Net decides, places the box and finds five landmarks."""

from __future__ import annotations

import numpy as np

from facekit.face.geometry import Overlap, suppressed
from facekit.face.mtcnn.candidates import Candidates, regressed
from facekit.face.mtcnn.options import DetectorOptions
from facekit.face.mtcnn.windows import windows
from facekit.runtime.net import Net
from facekit.types import Face, Float32Array

ONET_SIDE_PX = 48


def decide_faces(
    image: Float32Array, candidates: Candidates, onet: Net, options: DetectorOptions
) -> tuple[Face, ...]:
    """(H, W, 3) model input and square candidates -> faces in its pixels, best first."""
    offsets, points, probability = onet.run(windows(image, candidates.boxes, side_px=ONET_SIDE_PX))
    scores = probability[:, 1]
    passed = scores > options.stage_thresholds[2]
    scores = scores[passed]
    boxes = regressed(candidates.boxes, offsets)[passed]
    landmarks = placed(candidates.boxes, points)[passed]
    best = suppressed(boxes, scores, threshold=options.face_overlap, measure=Overlap.SMALLER)
    return tuple(
        Face(boxes[place], landmarks[place], min(float(scores[place]), 1.0)) for place in best
    )


def placed(boxes: Float32Array, points: Float32Array) -> Float32Array:
    """(N, 4), (N, 10) x1..x5 y1..y5 in box sides -> (N, 5, 2) px.

    NB: sides + 1 and positions - 1, the authors' MATLAB counting of pixels.
    """
    in_sides = np.stack([points[:, :5], points[:, 5:]], axis=2)  # (N, 5, 2)
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + np.float32(1)
    return np.asarray(boxes[:, None, :2] + in_sides * sides - np.float32(1))
