"""Runs a job over many photos, in this process, in worker processes or on a cluster.

This is facekit's only pool of workers.  It sets the number of threads, and returns a PhotoFailure
for a photo that causes an error or kills a worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np  # isort: skip  # OpenCV prints on stdout where it finds no NumPy
import cv2

from facekit.enums import CropRule
from facekit.errors import FacekitError, ImageError, UsageError
from facekit.face.align import crop_faces, whole_picture
from facekit.model.store import find
from facekit.photo.pillow import is_pillow
from facekit.photo.reading import PhotoFile, PictureSource, source_name
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.pipeline.records import EmbeddedPicture, LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.system.processes import Crash, available_cores, map_processes
from facekit.system.ray_cluster import map_ray
from facekit.types import CropSpec, UInt8Array

_WORTH_A_WORKER = 16
"""Number of photos for which one worker is enough.  A worker's start costs 0.6 s of processor time,
as much as 8 photos; from twice as many photos on, a second worker saves time."""

Photo = TypeVar("Photo")
Photo_contra = TypeVar("Photo_contra", contravariant=True)
Made = TypeVar("Made")
Made_co = TypeVar("Made_co", covariant=True)


@dataclass(frozen=True, slots=True)
class PhotoFailure:
    """A photo without a result, and the reason."""

    name: str
    error: FacekitError
    crashed: bool = False
    """True if workers died while they processed the photo, as they also do if memory is short."""

    def to_dict(self) -> dict[str, Any]:
        return {"photo": self.name, **self.error.to_dict()}


class PhotoJob(Protocol[Photo_contra, Made_co]):
    """The work to do with each photo: a picklable record, because it is sent to workers."""

    def open(self) -> Callable[[Photo_contra], Made_co]:
        """Loads what the job needs, once in each worker, with nets of one thread each.

        The returned function raises FacekitError or ValueError for a photo without a result.
        """
        ...


def worth_workers(names: Sequence[object], *, is_delegated: bool = False) -> int:
    """Returns the number of worker processes that save time; 1 means no worker.

    Standard input ("-") and an accelerator (`requests_accelerator`) are used by this process only.
    """
    if is_delegated or _reads_stdin(names):
        return 1
    return max(1, min(available_cores(), len(names) // _WORTH_A_WORKER))


def map_photos(
    job: PhotoJob[Photo, Made],
    photos: Sequence[Photo],
    *,
    label: str,
    workers: int | None = None,
    ray: str | None = None,
    here: Callable[[Photo], Made] | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[Made | PhotoFailure]:
    """Yields the job's result for each photo, in the order of the photos.

    `workers`: number of processes; None means as many as save time, or the cluster's cores; 1 means
    this process.  `ray`: a cluster's address (see `map_ray`), whose nodes have photos and models
    at the same paths.  `here`: the job's function, if this process has opened it already.
    A photo that kills two workers is a failure.  An error of `job.open()` in the first worker is
    raised.  Raises UsageError if workers would have to read standard input.
    """
    if workers is None and ray is None:
        workers = worth_workers(photos)
    if workers == 1 and ray is None:
        results = _one_after_the_other(here or job.open(), photos)
    elif _reads_stdin(photos):
        raise UsageError("Worker processes cannot read standard input: pass --workers 1.")
    else:
        results = _by_workers(job, photos, workers, ray)
    return reporter.steps(results, length=len(photos), label=label)


def _reads_stdin(photos: Sequence[object]) -> bool:
    return any(isinstance(photo, str) and photo == "-" for photo in photos)


def _one_after_the_other(
    function: Callable[[Photo], Made], photos: Sequence[Photo]
) -> Iterator[Made | PhotoFailure]:
    return (_tried(function, photo) for photo in photos)


def _tried(function: Callable[[Photo], Made], photo: Photo) -> Made | PhotoFailure:
    try:
        return function(photo)
    except FacekitError as error:
        return PhotoFailure(_name(photo), error)
    except ValueError as error:  # invalid arrays, such as landmarks that coincide
        return PhotoFailure(_name(photo), ImageError(f"{_name(photo)}: {error}"))


def _name(photo: Any) -> str:
    """Returns the name of a photo's source; `str` of another kind of item."""
    is_picture = isinstance(photo, (bytes, np.ndarray)) or hasattr(photo, "read")
    return source_name(photo) if is_picture or is_pillow(photo) else str(photo)


def _by_workers(
    job: PhotoJob[Photo, Made], photos: Sequence[Photo], workers: int | None, ray: str | None
) -> Iterator[Made | PhotoFailure]:
    crew = min(workers or len(photos), max(len(photos), 1))
    results = (
        map_processes(_Open(job), photos, workers=crew)
        if ray is None
        else map_ray(_Open(job), map(_reachable, photos), address=ray, workers=crew)
    )
    for photo, result in zip(photos, results, strict=True):
        if isinstance(result, Crash):
            code = "" if result.exit_code is None else f" with exit code {result.exit_code}"
            error = ImageError(
                f"{_name(photo)}: two processes ended while they worked on it, the second{code}. "
                "Look at it with facekit detect; where memory is short, pass fewer --workers."
            )
            yield PhotoFailure(_name(photo), error, crashed=True)
        elif isinstance(result, PhotoFailure):
            yield replace(result, name=_name(photo))
        else:
            yield result


@dataclass(frozen=True, slots=True)
class _Open:
    """Opens the job in a worker, where it is then called for each photo."""

    job: Any

    def __call__(self) -> Callable[[Any], Any]:
        cv2.setNumThreads(1)  # the workers use all cores
        function = self.job.open()
        return lambda photo: _tried(function, photo)


def _reachable(photo: Any) -> Any:
    """Returns a path that is also valid on another machine with the same files."""
    return type(photo)(os.path.abspath(photo)) if isinstance(photo, (str, Path)) else photo


@dataclass(frozen=True, slots=True)
class EmbedPhoto:
    """A job that embeds a photo and drops its pixels and crops."""

    model: Path
    options: PipelineOptions

    def open(self) -> Callable[[PictureSource], EmbeddedPicture]:
        options = replace(self.options, threads=1, locate=replace(self.options.locate, threads=1))
        pipeline = Pipeline(find(self.model), options=options)
        return lambda name: without_pictures(_embed_one(pipeline, name))


@dataclass(frozen=True, slots=True)
class LocatePhoto:
    """A job that finds a photo's faces and keeps its pixels."""

    options: LocateOptions

    def open(self) -> Callable[[str], LocatedPicture]:
        locator = Locator(options=self.options)

        def locate(name: str) -> LocatedPicture:
            (located,) = locator.locate([name])
            return located

        return locate


@dataclass(frozen=True, slots=True)
class CropPhoto:
    """A job that crops a photo's selected face to (height_px, width_px, 3) RGB.

    With CropRule.NONE, the full photo is the crop and no face is detected.
    """

    locate: LocateOptions
    crop: CropSpec
    height_px: int
    width_px: int

    def open(self) -> Callable[[PhotoFile], UInt8Array]:
        locator = Locator(options=replace(self.locate, threads=1))

        size = {"height_px": self.height_px, "width_px": self.width_px}

        def crop(photo: PhotoFile) -> UInt8Array:
            if self.crop.rule is CropRule.NONE:
                (picture,) = locator.read([photo])
                crops = whole_picture(picture.pixels, self.crop, **size)
            else:
                (located,) = locator.locate([photo])
                pixels, faces = located.picture.pixels, located.selected[:1]
                crops = crop_faces(pixels, faces, self.crop, **size)
            return np.asarray(crops[0])

        return crop


def embed_each(
    pipeline: Pipeline,
    names: Sequence[PictureSource],
    *,
    workers: int | None = 1,
    ray: str | None = None,
    label: str = "embedding",
    reporter: Reporter = SILENT,
) -> Iterator[EmbeddedPicture | PhotoFailure]:
    """Yields each photo's embeddings or failure in the order of `names`; see `map_photos`.

    Workers return embeddings without pixels and crops.  Raises UsageError if workers would have to
    read standard input or share an accelerator.
    """
    is_delegated = pipeline.options.accelerator.requests_accelerator
    if workers is None and ray is None:
        workers = worth_workers(names, is_delegated=is_delegated)
    if is_delegated:
        require_one_process(workers, ray)
    results = map_photos(
        EmbedPhoto(pipeline.model.path.absolute(), pipeline.options),
        names,
        label=label,
        workers=workers,
        ray=ray,
        here=lambda name: _embed_one(pipeline, name),
        reporter=reporter,
    )
    return (  # a cluster needs absolute paths; results have the given names
        replace(result, name=_name(name)) for name, result in zip(names, results, strict=True)
    )


def require_one_process(workers: int | None, ray: str | None) -> None:
    """Raises UsageError if several processes would have to share an accelerator."""
    if workers != 1 or ray is not None:
        raise UsageError("An accelerator is used by one process: pass --workers 1, without --ray.")


def without_pictures(embedded: EmbeddedPicture) -> EmbeddedPicture:
    """Returns the record without pixels and crops, so that 2 KB per face remain of megabytes."""
    return replace(embedded, crops=embedded.crops[:0], pixels=None)


def _embed_one(pipeline: Pipeline, name: PictureSource) -> EmbeddedPicture:
    (embedded,) = pipeline.embed([name])
    return embedded
