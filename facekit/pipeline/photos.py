"""One job over many photos, here, by processes or on a cluster; what fails is a record.

This is the one pool of facekit: threads are set here, and a photo or worker that fails becomes a
PhotoFailure here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np

from facekit.enums import CropRule
from facekit.errors import FacekitError, ImageError, UsageError
from facekit.face.align import crop_faces, whole_picture
from facekit.model.store import find
from facekit.photo.decode import PictureSource, source_name
from facekit.photo.pillow import is_pillow
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.pipeline.records import EmbeddedPicture, LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.system.processes import Crash, available_cores, map_processes
from facekit.system.ray_cluster import map_ray
from facekit.types import CropSpec, UInt8Array

_WORTH_A_WORKER = 16
"""Photos.  A worker costs 0.6 s of processor time before its first photo, as much as 8 photos;
with twice as many each, a second one has paid for itself."""

Photo = TypeVar("Photo")
Photo_contra = TypeVar("Photo_contra", contravariant=True)
Made = TypeVar("Made")
Made_co = TypeVar("Made_co", covariant=True)


@dataclass(frozen=True, slots=True)
class PhotoFailure:
    """A photo that gave no result, and why."""

    name: str
    error: FacekitError
    crashed: bool = False
    """whether it ended the workers that tried it, as they also do where memory is short"""

    def to_dict(self) -> dict[str, Any]:
        return {"photo": self.name, **self.error.to_dict()}


class PhotoJob(Protocol[Photo_contra, Made_co]):
    """What is done with each photo: a picklable record, since workers are sent it."""

    def open(self) -> Callable[[Photo_contra], Made_co]:
        """Loads what the job needs, once in each worker; nets of one thread each.

        The function that it returns raises FacekitError or ValueError for a photo that gives no
        result.
        """
        ...


def worth_workers(names: Sequence[object], *, is_delegated: bool = False) -> int:
    """How many worker processes these photos pay for; 1 means none: the work is done here.

    Standard input ("-") and an accelerator (`requests_accelerator`) are used by this process alone.
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
    """What the job makes of each photo, in the order of the photos.

    `workers`: None is as many as the photos pay for, or the cluster's cores; 1 is this process.
    `ray`: a cluster's address (see `map_ray`), whose nodes reach photos and models by the paths
    they have here.  `here`: the job's function where this process has opened it already.
    A photo that ends two workers is a failure; what they can load and read is decided by their
    first: an error of `job.open()` is raised.  Raises UsageError where workers would have to
    read standard input.
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
    except ValueError as error:  # arrays that cannot be meant, such as landmarks that coincide
        return PhotoFailure(_name(photo), ImageError(f"{_name(photo)}: {error}"))


def _name(photo: Any) -> str:
    """Of a picture's source, and of an item of another kind, which says it by `str`."""
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
    """What a worker calls once, and then for each photo."""

    job: Any

    def __call__(self) -> Callable[[Any], Any]:
        cv2.setNumThreads(1)  # the workers fill the cores
        function = self.job.open()
        return lambda photo: _tried(function, photo)


def _reachable(photo: Any) -> Any:
    """A path that means the same on another machine that sees the same files."""
    return type(photo)(os.path.abspath(photo)) if isinstance(photo, (str, Path)) else photo


@dataclass(frozen=True, slots=True)
class EmbedPhoto:
    """Job: a photo's name to its embeddings, without pixels and crops."""

    model: Path
    options: PipelineOptions

    def open(self) -> Callable[[PictureSource], EmbeddedPicture]:
        options = replace(self.options, threads=1, locate=replace(self.options.locate, threads=1))
        pipeline = Pipeline(find(self.model), options=options)
        return lambda name: without_pictures(_embed_one(pipeline, name))


@dataclass(frozen=True, slots=True)
class LocatePhoto:
    """Job: a photo's name to its faces, with its pixels."""

    options: LocateOptions

    def open(self) -> Callable[[str], LocatedPicture]:
        locator = Locator(options=self.options)

        def locate(name: str) -> LocatedPicture:
            (located,) = locator.locate([name])
            return located

        return locate


@dataclass(frozen=True, slots=True)
class CropPhoto:
    """Job: a photo's path to the crop of the face that is meant, (height_px, width_px, 3) RGB.

    By CropRule.NONE no face is looked for: the whole photo is the crop.
    """

    locate: LocateOptions
    crop: CropSpec
    height_px: int
    width_px: int

    def open(self) -> Callable[[Path], UInt8Array]:
        locator = Locator(options=replace(self.locate, threads=1))

        size = {"height_px": self.height_px, "width_px": self.width_px}

        def crop(photo: Path) -> UInt8Array:
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
    """The photos' embeddings in the order of the names; see `map_photos`.

    By workers they come without pixels and crops.  Raises UsageError where workers would have to
    read standard input or share an accelerator.
    """
    is_delegated = pipeline.options.accelerator.requests_accelerator
    if workers is None and ray is None:
        workers = worth_workers(names, is_delegated=is_delegated)
    if is_delegated and (workers != 1 or ray is not None):
        raise UsageError("An accelerator is used by one process: pass --workers 1, without --ray.")
    results = map_photos(
        EmbedPhoto(pipeline.model.path.absolute(), pipeline.options),
        names,
        label=label,
        workers=workers,
        ray=ray,
        here=lambda name: _embed_one(pipeline, name),
        reporter=reporter,
    )
    return (  # a cluster's names are absolute paths
        replace(result, name=_name(name)) for name, result in zip(names, results, strict=True)
    )


def without_pictures(embedded: EmbeddedPicture) -> EmbeddedPicture:
    """2 KB a face instead of megabytes: the embeddings, not the pixels."""
    return replace(embedded, crops=embedded.crops[:0], pixels=None)


def _embed_one(pipeline: Pipeline, name: PictureSource) -> EmbeddedPicture:
    (embedded,) = pipeline.embed([name])
    return embedded
