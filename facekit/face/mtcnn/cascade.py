"""MTCNN: three nets in a cascade, from all places of a picture to its faces.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016 (arXiv:1604.02878).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facekit.enums import ColourOrder
from facekit.face.mtcnn.options import DetectorOptions
from facekit.face.mtcnn.pyramid import reduced
from facekit.face.mtcnn.stages import decide_faces, propose, refine
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
        self, images: Sequence[UInt8Array], *, options: DetectorOptions | None = None
    ) -> list[tuple[Face, ...]]:
        """RGB uint8 (H, W, 3) pictures of any sizes -> each one's faces, highest score first.

        Boxes and landmarks are in pixels of the given picture and may reach beyond it, where
        the face does.  A picture with a side shorter than `min_face_px` has no faces.

        A photo larger than `search_side_px` is searched on a reduced copy throughout: with
        O-Net on the full-size photo boxes differ by 1 % in IoU, to neither side's advantage.
        Raises ValueError for another dtype or shape.
        """
        options = options or DetectorOptions()
        return [self._detect_one(image, options) for image in images]

    def _detect_one(self, image: UInt8Array, options: DetectorOptions) -> tuple[Face, ...]:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"Pictures must be uint8 of shape (H, W, 3). Received: {image.dtype} {image.shape}"
            )
        if image.size == 0:
            return ()
        searched, reduction = reduced(image, options.search_side_px)
        pixels = _scaled(searched)
        proposals = propose(pixels, self.pnet, options)
        candidates = refine(pixels, proposals, self.rnet, options)
        faces = decide_faces(pixels, candidates, self.onet, options)
        return tuple(_enlarged(face, reduction) for face in faces)


def _scaled(image: UInt8Array) -> Float32Array:
    """(H, W, 3) RGB uint8 -> (H, W, 3) float32, (pixel - 127.5) / 128, as the nets were trained."""
    height, width = image.shape[:2]
    spec = InputSpec(height, width, ColourOrder.RGB, mean=127.5, std=128.0)
    return np.asarray(model_input(image[None], spec)[0])


def _enlarged(face: Face, reduction: tuple[float, float]) -> Face:
    """The face in pixels of the picture, from those of a copy reduced by this in x and y."""
    if reduction == (1.0, 1.0):
        return face
    xy = np.array(reduction, np.float32)
    return Face(face.box_xyxy * np.tile(xy, 2), face.landmarks_xy * xy, face.score)
