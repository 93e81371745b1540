"""Rates the faces on photos by how well they can be recognized."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from facekit.enums import FacePolicy
from facekit.face.quality import FaceQuality
from facekit.pipeline.photos import PhotoFailure
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.tasks.detect import DetectedPhoto, detect
from facekit.tasks.open_pipeline import PipelineRequest


@dataclass(frozen=True, slots=True)
class RatedPhoto:
    """A photo's selected faces with their quality; true if all are as good as was asked."""

    located: LocatedPicture
    qualities: tuple[FaceQuality, ...]
    """(N,) of the selected faces."""
    min_quality: float | None

    def __bool__(self) -> bool:
        least = self.min_quality or 0.0
        return all(quality.unified_score >= least for quality in self.qualities)

    def to_dict(self) -> dict[str, Any]:
        """Returns the photo's name and size, its faces and their quality."""
        return {
            **self.located.to_dict(),
            "passed": None if self.min_quality is None else bool(self),
        }


@dataclass(frozen=True, slots=True)
class Ratings:
    """Photos with the quality of their faces, as an iterator, and the detector."""

    detector: str
    """Name of the detector."""
    results: Iterator[RatedPhoto | PhotoFailure]
    """The results in the order of the photos."""


def rate(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    min_quality: float | None = None,
    reporter: Reporter = SILENT,
) -> Ratings:
    """Finds and rates the faces of each photo; a folder stands for the photos below it.

    `request`: None means all faces.  `min_quality`: the least unified quality score, 0..100, that
    the results are compared with.  A photo without a usable face becomes a PhotoFailure and is
    reported.  Raises ImageError for a folder without a photo, and the errors of `detect`.
    """
    detection = detect(
        photos, request=request or PipelineRequest(face=FacePolicy.ALL), reporter=reporter
    )
    results = (
        RatedPhoto(result.located, result.located.qualities, min_quality)
        if isinstance(result, DetectedPhoto)
        else result
        for result in detection.results
    )
    return Ratings(detection.detector, results)
