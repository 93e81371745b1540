"""Checks whether a network rates blurred faces as poorer, on the faces that ship with facekit."""

from __future__ import annotations

import cv2
import numpy as np

from facekit.errors import ModelBuildError
from facekit.face.portraits import shipped_portraits
from facekit.face.quality_net import QualityNet
from facekit.model.card import Card
from facekit.reporter import SILENT, Reporter
from facekit.runtime.net import Net

_BLUR = 0.04
"""Standard deviation of the Gaussian blur, as a share of the crop's width: 4.5 px of 112, with
which SFace does not match."""


def check_ratings(
    net: Net, card: Card, *, accept: bool = False, reporter: Reporter = SILENT
) -> None:
    """Rates the shipped faces, sharp and blurred, and tells `reporter` both.

    `card`: that of a network that rates faces.
    Raises ModelBuildError if a blurred face is not rated as poorer, unless `accept` is true.
    """
    assert card.crop is not None  # every such card has both
    assert card.quality is not None
    rating = QualityNet(
        net, spec=card.input, crop=card.crop, quality=card.quality, name=card.full_name
    )
    crops = shipped_portraits(card.input, card.crop)
    sigma = _BLUR * card.input.width_px
    blurred = np.stack([cv2.GaussianBlur(crop, (0, 0), sigma) for crop in crops]).astype(np.uint8)
    sharp_scores, blurred_scores = rating.rate_crops(crops), rating.rate_crops(blurred)
    told = (
        f"{', '.join(f'{score:.0f}' for score in sharp_scores)}, and blurred "
        f"{', '.join(f'{score:.0f}' for score in blurred_scores)}"
    )
    reporter.note(f"quality of the faces that ship with facekit: {told}")
    if not accept and not (blurred_scores < sharp_scores).all():
        raise ModelBuildError(
            f"{card.name} does not rate blurred faces as poorer: quality {told} of the faces that "
            "ship with facekit. Check --quality-range, --color-order, --mean and --std, --crop; "
            "for weights that are not trained pass --accept-untrained."
        )
