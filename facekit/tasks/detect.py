"""Photos to the faces on them, with crops and drawings as files."""

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
    """A photo's faces, and the files that were made of it."""

    located: LocatedPicture
    crops: tuple[Path, ...] | None = None
    """a file for each selected face; None where none were asked for"""
    drawing: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The photo's record; null for files that were not asked for."""
        return {
            **self.located.to_dict(),
            "crops": None if self.crops is None else [str(path) for path in self.crops],
            "drawing": self.drawing and str(self.drawing),
        }


@dataclass(frozen=True, slots=True)
class Detection:
    """Photos with their faces, one after the other, and what finds them."""

    detector: str
    """the detector's name"""
    results: Iterator[DetectedPhoto | PhotoFailure]
    """in the order of the photos"""


def detect(
    photos: Iterable[str],
    *,
    request: PipelineRequest | None = None,
    crops: Path | None = None,
    drawings: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> Detection:
    """The faces of each photo, one after the other; folders stand for the pictures below them.

    `request`: None for all faces.  Where it names no detector, its model's card does.
    `crops`: folder for the crops that its model would see.
    `drawings`: folder for the pictures with boxes and landmarks.  Neither need exist;
    `force`: write into folders that hold something.
    A photo that gives no face is a PhotoFailure, and the reporter is told of it.
    Raises ImageError for a folder without a picture, StorageError, and what `open_pipeline`
    raises.
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
