"""What a face detector is to the rest of facekit, and how it states itself in a TemplateSpace.

Options do not stand there: changed alone, every option of the default detector moves templates as
far as moving the photo by one pixel does (mean cosine 0.98 to 1.00 in place of 0.987, and as many
decisions), while another crop rule moves them farther.  The table is in
docs/explanation/galleries.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

from facekit.errors import UsageError
from facekit.types import DetectorIdentity, Face, UInt8Array

Own = TypeVar("Own")


class Detector(Protocol):
    """Finds faces in pictures."""

    def detect(
        self, images: Sequence[UInt8Array], *, options: Any = None
    ) -> list[tuple[Face, ...]]:
        """RGB uint8 (H, W, 3) pictures of any sizes -> each one's faces, highest score first.

        `options`: of the detector's own kind; None for its defaults.
        """
        ...


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How faces are searched, whatever detector does it; None for what the detector takes itself.

    A setting that the detector in use does not have is an error, see `own_options`.
    """

    min_face_px: float | None = None
    """smallest face side, in pixels of the picture that is searched: the reduced copy where the
    photo is larger than `search_side_px`"""
    search_side_px: int | None = None
    """photos with a longer side are searched on a copy reduced to it; 0: never reduced"""
    min_score: float | None = None
    """YuNet: least score of a face, 0..1"""
    stage_thresholds: tuple[float, float, float] | None = None
    """MTCNN: face probability that P-, R- and O-Net ask for, each 0..1"""
    scale_factor: float | None = None
    """MTCNN: ratio of neighboring pyramid levels"""
    level_overlap: float | None = None
    """MTCNN: IoU above which the better of two proposals of one pyramid level stays"""
    proposal_overlap: float | None = None
    """MTCNN: the same across levels"""
    refined_overlap: float | None = None
    """MTCNN: the same after R-Net"""
    enlarged_side_px: int | None = None
    """YuNet: photos with a shorter long side are searched on a copy enlarged to it; 0: never"""
    face_overlap: float | None = None
    """overlap above which the better of two faces stays"""


def own_options(options: DetectorOptions, kind: type[Own], *, detector: str) -> Own:
    """The settings that are not None, as a record of the detector's own kind.

    Raises UsageError for a setting that it does not have, or a value that cannot be meant.
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
    """A detector by the name of its method and the source weights of each of its nets."""
    return DetectorIdentity(name, tuple(dict.fromkeys(weights_sha256)))
