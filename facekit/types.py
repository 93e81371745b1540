"""The small records that pass between stages.

Coordinates are pixels of the photo as people see it (EXIF orientation applied): x to the right, y
down, the origin at the top left corner of the top left pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.enums import ClassScores, ColorOrder, CropRule, ResizeFilter

UInt8Array: TypeAlias = NDArray[np.uint8]
Float32Array: TypeAlias = NDArray[np.float32]

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""Order of `Face.landmarks_xy`; left and right as the viewer sees them."""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: == on arrays has no single truth value
class Face:
    """One detected face, in pixels of its photo."""

    box_xyxy: Float32Array
    """(4,): x1, y1, x2, y2; x2 and y2 are exclusive; the box may reach beyond the photo."""
    landmarks_xy: Float32Array
    """(5, 2): x and y of the points in LANDMARK_NAMES."""
    score: float
    """The detector's score, 0..1: for MTCNN the face probability of its last stage, for YuNet the
    geometric mean of its two scores."""
    rotation_degrees: int = 0
    """0, 90, 180 or 270: the angle by which the photo must be turned clockwise for the face to be
    upright.  The landmarks are those of the turned photo: its left eye is the viewer's then."""

    def __post_init__(self) -> None:
        for name, shape in (("box_xyxy", (4,)), ("landmarks_xy", (5, 2))):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(
                    f"{name} must be float32 of shape {shape}. "
                    f"Received: {array.dtype} of shape {array.shape}"
                )
        if not (np.isfinite(self.box_xyxy).all() and np.isfinite(self.landmarks_xy).all()):
            raise ValueError(f"Face coordinates must be finite. Received: {self}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must be in 0..1. Received: {self.score}")
        if self.rotation_degrees not in (0, 90, 180, 270):
            raise ValueError(
                f"rotation_degrees must be 0, 90, 180 or 270. Received: {self.rotation_degrees}"
            )

    @property
    def rounded_box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2, rounded as in every output."""
        x1, y1, x2, y2 = rounded(self.box_xyxy.tolist())
        return x1, y1, x2, y2

    @property
    def width_px(self) -> float:
        return float(self.box_xyxy[2] - self.box_xyxy[0])

    @property
    def height_px(self) -> float:
        return float(self.box_xyxy[3] - self.box_xyxy[1])

    @property
    def area_px(self) -> float:
        return max(self.width_px, 0.0) * max(self.height_px, 0.0)

    @property
    def eye_distance_px(self) -> float:
        return float(np.linalg.norm(self.landmarks_xy[1] - self.landmarks_xy[0]))

    def to_dict(self) -> dict[str, Any]:
        """Returns box and landmarks in pixels; left and right are as the viewer sees them."""
        return {
            "box_xyxy": list(self.rounded_box),
            "score": round(self.score, 6),
            "rotation_degrees": self.rotation_degrees,
            "landmarks": {
                name: rounded(point.tolist())
                for name, point in zip(LANDMARK_NAMES, self.landmarks_xy, strict=True)
            },
        }

    def __repr__(self) -> str:
        box = ", ".join(f"{value:.0f}" for value in self.box_xyxy.tolist())
        return f"Face(box_xyxy=({box}), score={self.score:.4f})"


def rounded(pixels: Iterable[float]) -> list[float]:
    """Rounds coordinates as in every output, to a thousandth of a pixel."""
    return [round(value, 3) for value in pixels]


_MAX_INPUT_SIDE_PX = 8192
"""Largest height and width of a network's input: a crop of that size takes 200 MB."""
_MAX_INPUT = 1e30
"""Largest number that pixels may become: float32 ends at 3.4e38, and networks multiply."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input of a net: value = (pixel - mean) / std, with channels in `color_order`."""

    height_px: int
    width_px: int
    color_order: ColorOrder
    mean: float
    """In pixel values 0..255."""
    std: float
    """In pixel values; not zero."""

    def __post_init__(self) -> None:
        if not all(1 <= side <= _MAX_INPUT_SIDE_PX for side in (self.height_px, self.width_px)):
            raise ValueError(
                f"Input sides must be 1 to {_MAX_INPUT_SIDE_PX} pixels. Received: {self}"
            )
        if not (np.isfinite(self.mean) and np.isfinite(self.std) and self.std > 0):
            raise ValueError(f"mean must be finite and std positive. Received: {self}")
        if max(abs(self.mean), abs(255 - self.mean)) > _MAX_INPUT * self.std:
            raise ValueError(
                f"mean and std must map pixels to numbers of at most {_MAX_INPUT:g}. "
                f"Received: {self}"
            )


@dataclass(frozen=True, slots=True)
class CropSpec:
    """The rule by which a detected face becomes the model's crop; see facekit/face/align.py."""

    rule: CropRule
    margin_px: float
    """Pixels of the finished crop outside the box, left and right together (facenet's 32)."""
    resize_filter: ResizeFilter

    def __post_init__(self) -> None:
        if self.margin_px < 0:
            raise ValueError(f"margin_px must not be negative. Received: {self.margin_px}")

    def __str__(self) -> str:
        """Returns the rule in words, for people."""
        return f"{self.rule.value}, {self.margin_px:g} px, {self.resize_filter.value}"


@dataclass(frozen=True, slots=True)
class QualitySpec:
    """How the output of a network that rates faces is read; see facekit/face/quality_net.py."""

    worst: float
    """The output that becomes the quality score 0."""
    best: float
    """The output that becomes 100; what lies between is proportional, what lies beyond cut off."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.worst) and np.isfinite(self.best) and self.worst != self.best):
            raise ValueError(f"worst and best must be two finite numbers. Received: {self}")


@dataclass(frozen=True, slots=True)
class PadSpec:
    """How a network for presentation attack detection is fed and read; see face/liveness.py.

    Presentation attack detection (PAD), bona fide and attack are terms of ISO/IEC 30107-1.
    """

    crop_scale: float
    """The crop's height and width are those of the face's box times this number, at least 1."""
    classes: tuple[str, ...]
    """Names of the network's outputs, in their order."""
    bona_fide: str
    """Name of the class of bona fide presentations; all others are attacks."""
    scores: ClassScores
    threshold_score: float
    """Least score of the bona fide class, 0..1, of a face that is classified as bona fide."""
    threshold_source: str
    """On what the threshold was chosen, in words."""

    def __post_init__(self) -> None:
        if not 1 <= self.crop_scale <= _MAX_CROP_SCALE:
            raise ValueError(
                f"crop_scale lies in 1..{_MAX_CROP_SCALE}. Received: {self.crop_scale:g}"
            )
        if self.classes.count(self.bona_fide) != 1:
            raise ValueError(
                f"bona_fide must be one of classes, which has it once. Received: {self}"
            )
        if not 0 <= self.threshold_score <= 1:
            raise ValueError(f"threshold_score lies in 0..1. Received: {self.threshold_score:g}")


_MAX_CROP_SCALE = 20


@dataclass(frozen=True, slots=True)
class DetectorIdentity:
    """The detector that found the faces; see facekit/face/detector.py."""

    name: str
    """The detector's name, such as "mtcnn"."""
    weights_sha256: tuple[str, ...]
    """sha256 of the source weights of its nets, each once.  NB: not of the net files, which differ
    between versions of a converter although they find the same within 1e-5."""
