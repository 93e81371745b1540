"""Detects faces with MTCNN, a cascade of three nets.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016 (arXiv:1604.02878).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facekit.enums import ColorOrder
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.mtcnn.stages import decide_faces, propose, refine
from facekit.face.reduce import in_picture, reduced, require_picture
from facekit.runtime.net import Net
from facekit.runtime.preprocess import model_input
from facekit.types import Face, Float32Array, InputSpec, UInt8Array


@dataclass(frozen=True, slots=True)
class Mtcnn:
    """The cascade over three loaded nets; see `facekit.graph.nets.mtcnn` for their tensors."""

    pnet: Net
    rnet: Net
    onet: Net

    def detect(
        self, images: Sequence[UInt8Array], *, options: MtcnnOptions | None = None
    ) -> list[tuple[Face, ...]]:
        """Finds faces in RGB uint8 (H, W, 3) photos of any sizes; returns each photo's faces.

        The best face of a photo comes first.  Boxes and landmarks are in pixels of the photo; they
        reach beyond the photo if the face does.  In a photo with a side shorter than `min_face_px`,
        no faces are found.

        A photo larger than `search_side_px` is searched on a reduced copy in all stages, because
        O-Net on the full-size photo changes boxes by only 1 % in IoU, for neither better nor worse.

        Raises ValueError for another dtype or shape.
        """
        options = options or MtcnnOptions()
        return [self._detect_one(image, options) for image in images]

    def _detect_one(self, image: UInt8Array, options: MtcnnOptions) -> tuple[Face, ...]:
        require_picture(image)
        if image.size == 0:
            return ()
        side = options.search_side_px or max(image.shape)
        searched, reduction = reduced(image, side, side)
        pixels = _scaled(searched)
        proposals = propose(pixels, self.pnet, options)
        candidates = refine(pixels, proposals, self.rnet, options)
        faces = decide_faces(pixels, candidates, self.onet, options)
        return tuple(in_picture(face, reduction) for face in faces)


def _scaled(image: UInt8Array) -> Float32Array:
    """Scales (H, W, 3) RGB uint8 to float32, (pixel - 127.5) / 128, as the nets were trained."""
    height, width = image.shape[:2]
    spec = InputSpec(height, width, ColorOrder.RGB, mean=127.5, std=128.0)
    return np.asarray(model_input(image[None], spec)[0])
