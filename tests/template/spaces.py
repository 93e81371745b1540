"""A made-up space, and every field of it changed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from facekit.enums import CropRule, Flip, ResizeFilter
from facekit.template.space import TemplateSpace, mean_sha256_of
from facekit.types import CropSpec, DetectorIdentity

SPACE = TemplateSpace(
    model="net:float32",
    model_sha256="cd" * 32,
    detector=DetectorIdentity("mtcnn", ("ef" * 32,)),
    crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.AREA),
    flip=Flip.NONE,
    mean_sha256="",
    size=16,
)
MEAN = np.full(16, 0.05, np.float32)
OTHER_MEAN_SPACE = replace(SPACE, mean_sha256=mean_sha256_of(MEAN))
"""of the same templates, centered about MEAN"""

CHANGES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model_sha256": "ab" * 32}, "model file"),
    ({"detector": DetectorIdentity("yunet", ("ef" * 32,))}, "detector"),
    ({"detector": DetectorIdentity("mtcnn", ("01" * 32,))}, "detector"),
    ({"crop": CropSpec(CropRule.SIMILARITY, 32.0, ResizeFilter.AREA)}, "crop rule"),
    ({"crop": CropSpec(CropRule.MARGIN, 31.5, ResizeFilter.AREA)}, "crop rule"),
    ({"crop": CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR)}, "crop rule"),
    ({"flip": Flip.CONCAT}, "mirror image"),
    ({"mean_sha256": mean_sha256_of(MEAN)}, "embedding mean"),
    ({"size": 32}, "embedding size"),
)
"""what is changed, and the name under which an error tells of it"""
