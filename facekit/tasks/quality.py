"""Rates the faces on photos by how well they can be recognized."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facekit.enums import FacePolicy
from facekit.pipeline.photos import PhotoFailure
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.tasks.detect import DetectedPhoto, detect
from facekit.tasks.open_pipeline import PipelineRequest


@dataclass(frozen=True, slots=True)
class Ratings:
    """Photos with the quality of their faces, as an iterator, and the detector."""

    detector: str
    """Name of the detector."""
    results: Iterator[LocatedPicture | PhotoFailure]
    """The results in the order of the photos."""


def rate(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> Ratings:
    """Finds and rates the faces of each photo; a folder stands for the photos below it.

    `request`: None means all faces.  A photo without a usable face becomes a PhotoFailure and is
    reported.  Raises ImageError for a folder without a photo, and the errors of `detect`.
    """
    detection = detect(
        photos, request=request or PipelineRequest(face=FacePolicy.ALL), reporter=reporter
    )
    results = (
        result.located if isinstance(result, DetectedPhoto) else result
        for result in detection.results
    )
    return Ratings(detection.detector, results)
