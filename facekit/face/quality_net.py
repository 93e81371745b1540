"""Rates faces by a network for it, such as eDifFIQA, in place of facekit's own formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelMismatchError
from facekit.face.align import crop_faces
from facekit.runtime.net import Net
from facekit.runtime.preprocess import model_input
from facekit.types import CropSpec, Face, InputSpec, QualitySpec, UInt8Array


class QualityNet:
    """A loaded network that gives one number for a crop of a face: (N, H, W, 3) to (N, 1)."""

    def __init__(
        self, net: Net, *, spec: InputSpec, crop: CropSpec, quality: QualitySpec, name: str
    ) -> None:
        """`spec`, `crop`, `quality`: how the network is fed and read, as its card says.

        `name`: "name:variant" of its model, which errors name.
        """
        self._net, self._spec, self._crop, self._quality = net, spec, crop, quality
        self.name = name

    def rate(self, photo: UInt8Array, faces: Sequence[Face]) -> NDArray[np.float64]:
        """Returns (N,) quality scores, 0 (worst) to 100 (best), of faces of one photo.

        `photo`: (H, W, 3) RGB uint8.  A face whose landmarks all coincide has 0.
        Raises the error of `rate_crops`.
        """
        sides = {"height_px": self._spec.height_px, "width_px": self._spec.width_px}
        scores = np.zeros(len(faces))
        for at, face in enumerate(faces):
            try:
                crop = crop_faces(photo, [face], self._crop, **sides)
            except ValueError:
                continue
            scores[at] = self.rate_crops(crop)[0]
        return scores

    def rate_crops(self, crops: UInt8Array) -> NDArray[np.float64]:
        """Returns (N,) quality scores, 0 to 100, of (N, H, W, 3) RGB uint8 crops.

        Raises ModelMismatchError if the network does not give one finite number for each crop.
        """
        outputs = self._net.run(model_input(crops, self._spec))
        shapes = [output.shape for output in outputs]
        if shapes != [(len(crops), 1)] or not np.isfinite(outputs[0]).all():
            raise ModelMismatchError(
                f"{self.name}: one finite number a crop is needed of a network that rates faces, "
                f"shape ({len(crops)}, 1). Received: shapes {shapes}"
            )
        worst, best = self._quality.worst, self._quality.best
        shares = (outputs[0][:, 0].astype(np.float64) - worst) / (best - worst)
        return np.asarray(100 * np.clip(shares, 0, 1))
