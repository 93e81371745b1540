"""The settings of the cascade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from facekit.errors import UsageError

PNET_WINDOW_PX = 12
"""Side of P-Net's input window in pixels (Zhang et al. 2016, figure 2)."""


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """MTCNN's search settings.

    The defaults are those of the paper's authors, of facenet and of the mtcnn package, except
    O-Net's threshold, which is 0.8 in mtcnn 1.0.0 and 0.7 in the others.  Raises UsageError for an
    invalid value.
    """

    min_face_px: float = 20.0
    """Minimum side of a face in pixels of the photo, or of the reduced copy if the photo is larger
    than `search_side_px`."""
    stage_thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """Face probability that a window must exceed in P-, R- and O-Net, each 0..1."""
    scale_factor: float = 0.709
    """Ratio of neighboring pyramid levels, about 1/sqrt(2): each has half the area."""
    search_side_px: int = 720
    """Photos with a longer side are searched on a copy reduced to this side; 0 never reduces."""
    level_overlap: float = 0.5
    """IoU above which only the better of two proposals of one pyramid level is kept."""
    proposal_overlap: float = 0.7
    """IoU above which only the better of two proposals of different levels is kept."""
    refined_overlap: float = 0.7
    """IoU above which only the better of two boxes is kept after R-Net."""
    face_overlap: float = 0.7
    """Overlap above which only the better of two faces is kept after O-Net.

    The overlap is relative to the smaller box's area, so that a box within a box is dropped.
    """

    upright_score: ClassVar[float] = 0.98
    """Best score from which Rotate.AUTO takes a photo as upright.

    Of 200 photos of LFW's View 1, 97.5 % reach it, turned by 90 or 270 degrees 2 %, upside down
    2.5 %.  benchmarks/rotation.py measures it."""
    sure_score: ClassVar[float] = 0.9
    """Score above which a detection is almost always a face."""

    def __post_init__(self) -> None:
        if not self.min_face_px >= PNET_WINDOW_PX:
            raise UsageError(
                f"The smallest face must be at least {PNET_WINDOW_PX} px wide, the window of the "
                f"first net. Received: {self.min_face_px:g}"
            )
        if not 0.0 < self.scale_factor < 1.0:
            raise UsageError(
                "The scale factor must lie between 0 and 1, both excluded. "
                f"Received: {self.scale_factor:g}"
            )
        if len(self.stage_thresholds) != 3 or not all(map(_is_share, self.stage_thresholds)):
            raise UsageError(
                "Three face thresholds are needed, for P-, R- and O-Net, each between 0 and 1. "
                f"Received: {', '.join(f'{value:g}' for value in self.stage_thresholds)}"
            )
        if self.search_side_px < 0:
            raise UsageError(
                "The search side must be 0 (full size) or positive. "
                f"Received: {self.search_side_px}"
            )
        for name in ("level_overlap", "proposal_overlap", "refined_overlap", "face_overlap"):
            if not _is_share(getattr(self, name)):
                raise UsageError(
                    f"{name} must lie between 0 and 1. Received: {getattr(self, name):g}"
                )


def _is_share(value: float) -> bool:
    return 0.0 <= value <= 1.0
