"""Rates how well faces can be recognized: components after ISO/IEC 29794-5, and one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.enums import QualityGate
from facekit.errors import LowQualityError, UsageError
from facekit.face.measures import Measures, measures
from facekit.face.quality_fit import unified_score
from facekit.types import Face, UInt8Array


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How well one face can be recognized; every number is 0 (worst) to 100 (best).

    The components are those of ISO/IEC 29794-5:2025 that five landmarks and the pixels allow, with
    that standard's functions where it has one; `noise` and `detector_confidence` are facekit's own.
    Yaw and pitch are estimates from the place of the nose, good to some 10 degrees.
    """

    unified_score: float
    """The probability, in percent, that the face matches a good photo of the same person at FMR
    1e-3, as fitted with the models sface and facenet512-casia on degraded photos: the mean of both,
    of which the first is the more robust.  See facekit/face/quality_fit.py."""
    inter_eye_distance: float
    """50 at 70 pixels between the eyes, 82 at 100, 18 at 40."""
    head_pose_yaw: float
    """The squared cosine of the angle; 75 at 30 degrees.  Of pitch and roll as well."""
    head_pose_pitch: float
    head_pose_roll: float
    sharpness: float
    """How much fine detail the face has for its coarser one: 98 for photos of LFW, 63 after a
    Gaussian blur of 1.5 px, 18 after one of 3 px."""
    noise: float
    """100 without noise; 50 where noise has a standard deviation of 8 gray levels."""
    compression_artifacts: float
    """100 without edges along the blocks of 8 pixels that strong JPEG compression leaves."""
    under_exposure_prevention: float
    """Falls where almost all of the face is black: gray levels 0 to 25."""
    over_exposure_prevention: float
    """Falls with the share of the face that is white, gray levels 247 to 255: 50 at 1 percent."""
    dynamic_range: float
    """The entropy of the face's gray levels, 8 bits for 100: low without contrast."""
    illumination_uniformity: float
    """How alike the gray levels of both cheeks are distributed: low for light from one side."""
    crop_of_the_face_image: float
    """The share of the face's box that lies inside the photo."""
    eyes_visible: float
    """How much contrast the eye with less of it has: 50 for one in a hundred photos of LFW, 98 for
    half of them.  Low for eyes that hair, glare or an object hides."""
    mouth_occlusion_prevention: float
    """The same of the mouth."""
    detector_confidence: float
    """The detector's score; each detector has a scale of its own."""

    @property
    def worst(self) -> list[tuple[str, float]]:
        """The two lowest components with their names, the lowest first."""
        parts = [(name, getattr(self, name)) for name in self.__slots__[1:]]
        return sorted(parts, key=lambda part: part[1])[:2]

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers by name, rounded to two decimals."""
        return {name: round(float(getattr(self, name)), 2) for name in self.__slots__}


LEAST_SCORES: Mapping[QualityGate, float | None] = {
    QualityGate.STRICT: 90.0,
    QualityGate.STANDARD: 50.0,
    QualityGate.OFF: None,
}
"""The least unified score of a face that is enrolled.  Below 50 it would be missed later more often
than found; from 90 on it is missed once in ten times at the most, as the mean of both models."""


def rate_faces(photo: UInt8Array, faces: Sequence[Face]) -> tuple[FaceQuality, ...]:
    """Returns the quality of each face of one photo, (H, W, 3) RGB uint8.

    A face whose landmarks all coincide cannot be aligned; it gets 0 everywhere.
    """
    return tuple(_rated(measures(photo, face)) for face in faces)


def require_quality(quality: FaceQuality | None, least: float | None, *, name: str) -> None:
    """Raises LowQualityError for a face whose unified score is below `least`, 0..100.

    None as `least` demands nothing.  `name`: the photo's name in errors.  Raises UsageError if the
    face was not rated, because nothing was detected.
    """
    if least is None:
        return
    if quality is None:
        raise UsageError(
            f"{name}: a least quality needs a photo in which the face is found. Received: a ready "
            "crop or an embedding file"
        )
    if quality.unified_score < least:
        worst = ", ".join(f"{part.replace('_', ' ')} {value:.0f}" for part, value in quality.worst)
        raise LowQualityError(
            f"{name}: a face of quality {least:g} or better is needed. Received: "
            f"{quality.unified_score:.0f}; worst are {worst}. Take another photo."
        )


def _sigmoid(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp(np.clip((middle - value) / width, -700, 700))))


def _squared_cosine(degrees: float) -> float:
    return 100 * max(float(np.cos(np.radians(degrees))), 0.0) ** 2


def _rated(found: Measures | None) -> FaceQuality:
    if found is None:
        return FaceQuality(*[0.0] * len(FaceQuality.__slots__))
    return FaceQuality(
        unified_score=unified_score(found),
        inter_eye_distance=100 * _sigmoid(found.eye_distance_px, 70, 20),
        head_pose_yaw=_squared_cosine(found.yaw_degrees),
        head_pose_pitch=_squared_cosine(found.pitch_degrees),
        head_pose_roll=_squared_cosine(found.roll_degrees),
        sharpness=100 * _sigmoid(found.sharpness, 0.42, 0.06),
        noise=100 / (1 + (found.noise / 8) ** 2),
        compression_artifacts=100 / (1 + found.blocks),
        under_exposure_prevention=float(
            np.clip(120 * (0.832 - _sigmoid(found.dark_share, 0.92, 0.05)), 0, 100)
        ),
        over_exposure_prevention=min(1 / (found.light_share + 0.01), 100),
        dynamic_range=12.5 * found.entropy_bits,
        illumination_uniformity=100 * found.cheeks_overlap**0.3,
        crop_of_the_face_image=100 * found.inside_share,
        eyes_visible=100 * _sigmoid(found.eye_contrast, 0.28, 0.11),
        mouth_occlusion_prevention=100 * _sigmoid(found.mouth_contrast, 0.35, 0.11),
        detector_confidence=100 * found.score,
    )
