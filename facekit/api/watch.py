"""Watches a folder from Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from facekit.api.arguments import names, pipeline_request, threshold_choice
from facekit.enums import FacePolicy, Metric
from facekit.gallery.identify import OpenSetChoice
from facekit.reporter import SILENT, Reporter
from facekit.tasks import watch as watch_task
from facekit.tasks.gallery import GalleryLocation
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.watch import WatchedPhoto


def watch(
    folder: str | Path,
    *,
    known: Iterable[str | Path] = (),
    gallery: str | Path | None = None,
    threshold: float | None = None,
    metric: Metric | str = Metric.COSINE,
    min_similarity: float | None = None,
    fmr: float | str | None = None,
    min_margin: float | None = None,
    interval: float = 1.0,
    existing: bool = False,
    once: bool = False,
    model: str | Path | None = None,
    face: FacePolicy | str | None = None,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[WatchedPhoto]:
    """Yields the answer for each photo that arrives in a folder; it is true if the face is known.

        for photo in facekit.watch("incoming", known=["resident.jpg"]):
            print(photo.path, photo.answer.value)

    It waits for photos until the loop is left.  `folder`: photos in its subfolders are not seen.
    `known`: photos or embedding files of one person, of which one must match; without any, people
    are searched in the `gallery`, where None means the default one.  `threshold`, `metric`,
    `min_similarity`, `fmr`: of one comparison, as in `verify`; without any, with a gallery by its
    size, as in `Gallery.identify`; `min_margin` as there.  `interval`: seconds between two looks at
    the folder, and for which a photo must not have changed to be taken for whole; with the package
    watchdog a photo is seen when its writer closes it.  `existing`: begin with the photos that are
    there; `once`: these alone, as they are, and end.
    A photo that cannot be used is yielded with its `error`.
    Raises UsageError, InputError if the folder cannot be read or goes away, ImageError with `once`
    if it holds no photo, StorageError for the gallery, and the errors of `load` and of embedding
    the known photos.
    """
    return watch_task.watch(
        Path(folder),
        known=names(known),
        location=GalleryLocation(None if gallery is None else str(gallery)),
        request=pipeline_request(model, face, request),
        threshold=OpenSetChoice(
            threshold_choice(threshold, metric, min_similarity, fmr), min_margin=min_margin
        ),
        interval_s=interval,
        existing=existing,
        once=once,
        reporter=reporter,
    )
