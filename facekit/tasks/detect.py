"""Finds the faces on photos, and writes crops and drawings as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.enums import FacePolicy
from facekit.photo.draw import draw_faces
from facekit.photo.sources import list_pictures, unique_stems
from facekit.photo.write import write_crops, write_png
from facekit.pipeline.photos import LocatePhoto, PhotoFailure, map_photos
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.open_pipeline import (
    PipelineRequest,
    ensure_detector,
    open_pipeline,
    usual_detector,
)


@dataclass(frozen=True, slots=True)
class DetectedPhoto:
    """A photo's faces, and the files that were written for the photo."""

    located: LocatedPicture
    crops: tuple[Path, ...] | None = None
    """One file for each selected face; None if no crops were requested."""
    drawing: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the photo's record, with null for files that were not requested."""
        return {
            **self.located.to_dict(),
            "crops": None if self.crops is None else [str(path) for path in self.crops],
            "drawing": self.drawing and str(self.drawing),
        }


@dataclass(frozen=True, slots=True)
class Detection:
    """Photos with their faces, as an iterator, and the detector."""

    detector: str
    """Name of the detector."""
    results: Iterator[DetectedPhoto | PhotoFailure]
    """The results in the order of the photos."""


def detect(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    crops: Path | None = None,
    drawings: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> Detection:
    """Finds the faces of each photo, one photo at a time; a folder stands for the photos below it.

    `request`: None means all faces.  If it names no detector, the card of its model does.  `crops`:
    folder for the crops that its model would receive as input.  `drawings`: folder for photos with
    boxes and landmarks.  Missing folders are made; `force`: write into folders that are not empty.
    A photo without a usable face becomes a PhotoFailure and is reported.
    Raises ImageError for a folder without a photo, StorageError, and the errors of `open_pipeline`.
    """
    request = request or PipelineRequest(face=FacePolicy.ALL)
    require_free(crops, drawings, force=force)
    names = list_pictures(photos)
    stems = unique_stems(names)
    if request.bundle is None:
        request = replace(request, detector=request.detector or usual_detector(request.model))
        ensure_detector(
            str(request.detector), build_missing=request.build_missing, reporter=reporter
        )
    cropper = None if crops is None else open_pipeline(request, reporter=reporter)
    options = request.locate_options
    results = map_photos(
        LocatePhoto(options),
        names,
        workers=1,
        label="detecting",
        reporter=reporter,
    )

    def written(located: LocatedPicture | PhotoFailure) -> DetectedPhoto | PhotoFailure:
        if isinstance(located, PhotoFailure):
            reporter.failure(located.error)
            return located
        stem = stems[located.picture.name]
        paths = drawing = None
        if crops is not None and cropper is not None:
            paths = tuple(write_crops(crops, stem, cropper.crop(located)))
        if drawings is not None:
            drawing = drawings / f"{stem}.png"
            pixels = located.picture.pixels
            write_png(drawing, draw_faces(pixels, located.faces, located.selected))
        return DetectedPhoto(located, paths, drawing)

    return Detection(options.detector_name, map(written, results))
