"""Stage 2: R-Net rejects most proposals and moves the rest."""

from __future__ import annotations

from facekit.face.geometry import squares
from facekit.face.mtcnn.candidates import Candidates, regressed
from facekit.face.mtcnn.options import DetectorOptions
from facekit.face.mtcnn.windows import windows
from facekit.runtime.net import Net
from facekit.types import Float32Array

RNET_SIDE_PX = 24


def refine(
    image: Float32Array, proposals: Candidates, rnet: Net, options: DetectorOptions
) -> Candidates:
    """(H, W, 3) model input and square proposals -> square candidates, best first."""
    offsets, probability = rnet.run(windows(image, proposals.boxes, side_px=RNET_SIDE_PX))
    judged = Candidates(regressed(proposals.boxes, offsets), probability[:, 1])
    passed = judged.at(judged.scores > options.stage_thresholds[1])
    kept = passed.unsuppressed(options.refined_overlap)
    return Candidates(squares(kept.boxes), kept.scores)
