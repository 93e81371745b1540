"""The protocol of face detectors, their options, and their identity in a TemplateSpace.

The options are not part of the identity.  If one option of the default detector is changed,
templates change as little as if the photo were shifted by one pixel (mean cosine 0.98 to 1.00, for
the shift 0.987, and as many changed decisions).  Another crop rule changes templates more.  The
table is in docs/explanation/galleries.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

from facekit.errors import UsageError
from facekit.types import DetectorIdentity, Face, UInt8Array

Own = TypeVar("Own")


class Detector(Protocol):
    """Finds the faces in photos."""

    def detect(
        self, images: Sequence[UInt8Array], *, options: Any = None
    ) -> list[tuple[Face, ...]]:
        """Finds faces in RGB uint8 (H, W, 3) photos of any sizes; returns each photo's faces.

        The best face of a photo comes first.  `options` is an instance of the detector's options
        class, e.g. YunetOptions; None means the detector's defaults.
        """
        ...


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """The search settings of all detectors; None means the detector's default.

    Setting an option that the detector does not have is an error: see `own_options`.
    """

    min_face_px: float | None = None
    """Minimum side of a face in pixels of the photo, or of the reduced copy if the photo is larger
    than `search_side_px`."""
    search_side_px: int | None = None
    """Photos with a longer side are searched on a copy reduced to this side; 0 never reduces."""
    min_score: float | None = None
    """YuNet: minimum score of a face, 0..1."""
    stage_thresholds: tuple[float, float, float] | None = None
    """MTCNN: minimum face probability of P-, R- and O-Net, each 0..1."""
    scale_factor: float | None = None
    """MTCNN: ratio of neighboring pyramid levels."""
    level_overlap: float | None = None
    """MTCNN: IoU above which only the better of two proposals of one pyramid level is kept."""
    proposal_overlap: float | None = None
    """MTCNN: IoU above which only the better of two proposals of different levels is kept."""
    refined_overlap: float | None = None
    """MTCNN: IoU above which only the better of two boxes is kept after R-Net."""
    enlarged_side_px: int | None = None
    """YuNet: photos whose longer side is shorter are searched on a copy enlarged to this side; 0
    never enlarges."""
    face_overlap: float | None = None
    """Overlap above which only the better of two faces is kept."""


def own_options(options: DetectorOptions, kind: type[Own], *, detector: str) -> Own:
    """Returns the detector's options, of class `kind`, with the settings that are not None.

    Raises UsageError for a setting that the detector does not have, and for an invalid value.
    """
    given = {
        one.name: getattr(options, one.name)
        for one in fields(options)
        if getattr(options, one.name) is not None
    }
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # dataclasses, all
    if unknown := given.keys() - known:
        raise UsageError(
            f"The detector {detector} has no setting {', '.join(sorted(unknown))}. "
            f"Its settings are {', '.join(known)}."
        )
    return kind(**given)


def identity_of(name: str, weights_sha256: Iterable[str]) -> DetectorIdentity:
    """Returns a detector's identity: the method's name and the source weights' SHA-256."""
    return DetectorIdentity(name, tuple(dict.fromkeys(weights_sha256)))
