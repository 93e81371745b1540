"""Answers for each photo that arrives in a folder, by networks that are loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import PersonRule, WatchAnswer
from facekit.errors import FacekitError, ImageError, MissingExtraError, UsageError
from facekit.gallery.identify import OpenSetChoice
from facekit.photo.sources import is_photo_file
from facekit.pipeline.photos import PhotoFailure, embed_each, without_pictures
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import Verification
from facekit.reporter import SILENT, Reporter
from facekit.system.arrivals import Arrivals, ClosedFiles
from facekit.system.wakeup import Wakeup, wait_for
from facekit.tasks.gallery import GalleryLocation, open_gallery
from facekit.tasks.identify import Identified, identify_photos
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.threshold import ThresholdChoice


@dataclass(frozen=True, slots=True)
class WatchedPhoto:
    """The answer for one photo: exactly one of `verification`, `identified` and `error` is set."""

    path: Path
    verification: Verification | None = None
    """With known photos: the comparison with the one that is most alike."""
    identified: Identified | None = None
    """With a gallery: what `identify` says of this photo alone."""
    error: FacekitError | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the known people on the photo; empty without a gallery."""
        photos = () if self.identified is None else self.identified.photos
        return tuple(face.name for photo in photos for face in photo.faces if face.name is not None)

    @property
    def errors(self) -> tuple[FacekitError, ...]:
        """Why the photo has no answer, or one that is ambiguous; empty for every other photo."""
        if self.error is not None:
            return (self.error,)
        return () if self.identified is None else self.identified.ambiguous

    @property
    def answer(self) -> WatchAnswer:
        """Known only if every selected face is known; ambiguous if one may be of two people."""
        if self.verification is not None:
            return WatchAnswer.SAME if self.verification else WatchAnswer.DIFFERENT
        if self.identified is not None:
            if self.identified.ambiguous:
                return WatchAnswer.AMBIGUOUS
            return WatchAnswer.KNOWN if self.identified.all_known else WatchAnswer.UNKNOWN
        return WatchAnswer.ERROR

    def __bool__(self) -> bool:
        return self.answer in (WatchAnswer.SAME, WatchAnswer.KNOWN)

    def to_dict(self) -> dict[str, Any]:
        """Returns the answer with what verify or identify says of the photo, or the error."""
        # NB: a verification of two people is false, so it is compared with None.
        verification, identified, error = self.verification, self.identified, self.error
        return {
            "photo": str(self.path),
            "answer": self.answer.value,
            "names": list(self.names),
            "verification": None if verification is None else verification.to_dict(),
            "identification": None if identified is None else identified.to_dict(),
            "error": None if error is None else error.to_dict()["error"],
        }


def watch(
    folder: Path,
    *,
    known: Sequence[str] = (),
    location: GalleryLocation | None = None,
    request: PipelineRequest | None = None,
    threshold: OpenSetChoice | None = None,
    interval_s: float = 1.0,
    existing: bool = False,
    once: bool = False,
    asked_to_stop: Callable[[], AbstractContextManager[Wakeup]] = lambda: closing(Wakeup()),
    reporter: Reporter = SILENT,
) -> Iterator[WatchedPhoto]:
    """Yields the answer for each photo that arrives in `folder`, until the caller stops.

    `known`: photos and embedding files of the person who is expected; a photo is the same person's
    if it matches one of them.  Without any, people are searched in the gallery at `location`.
    `threshold`: of one comparison, else the card's, with a gallery by its size; and with a gallery
    the least margin.
    `interval_s`: seconds between two looks at the folder, and for which a photo must not have
    changed; the package watchdog tells of photos at once.  `existing`: begin with the photos that
    are there.  `once`: these alone, as they are, and end.  `asked_to_stop` is entered when
    watching begins; setting what it returns ends the watch after the photo under way.
    A photo that cannot be used is reported and yielded with its error.
    Raises UsageError, also for a margin with known photos, InputError if the folder cannot be read
    or goes away, ImageError with `once` if it holds no photo, and the errors of opening the gallery
    and the pipeline, and of embedding the known photos.
    """
    if interval_s <= 0:
        raise UsageError(f"--interval: more than 0 seconds needed. Received: {interval_s}")
    arrivals = Arrivals(folder, wanted=is_photo_file, settle_s=0.0 if once else interval_s)
    present = 0 if existing or once else arrivals.leave_out_present()
    with ExitStack() as stack:
        ask = _asker(known, location, request, threshold, stack.enter_context, reporter)
        closed = None if once else _closed_files(folder, interval_s, present, reporter)
        if closed is not None:
            stack.enter_context(closing(closed))
        stop = stack.enter_context(asked_to_stop())
        names = arrivals.whole()
        if once and not names:
            raise ImageError(f"{folder}: no photo in this folder.")
        while not stop.is_set():
            for name in names:
                photo = ask(folder / name)
                if photo.error is not None:
                    reporter.failure(photo.error)
                yield photo
                if stop.is_set():
                    return
            if once:
                return
            wakeups = (stop,) if closed is None else (stop, closed.changed)
            wait_for(*wakeups, seconds=interval_s)
            names = arrivals.whole(closed=() if closed is None else closed.take())


def _asker(
    known: Sequence[str],
    location: GalleryLocation | None,
    request: PipelineRequest | None,
    threshold: OpenSetChoice | None,
    entered: Callable[[AbstractContextManager[Any]], Any],
    reporter: Reporter,
) -> Callable[[Path], WatchedPhoto]:
    """Opens what is asked, with all networks loaded, and returns the function that asks it."""
    threshold = threshold or OpenSetChoice()
    if known and threshold.min_margin is not None:
        raise UsageError(
            "--min-margin is for the people of a gallery. Leave it out, or --known and its photos."
        )
    gallery = None if known else entered(open_gallery(location or GalleryLocation()))
    pipeline = open_pipeline(request or PipelineRequest(), reporter=reporter)
    pipeline.load()
    if gallery is None:
        return _compare_with(known, pipeline, threshold.choice)
    own = gallery.info().space
    if own is not None:
        own.require_same(pipeline.space, where=f"Gallery {gallery.info().url}")

    def identified(path: Path) -> WatchedPhoto:
        try:
            found = identify_photos(
                gallery,
                pipeline,
                [str(path)],
                threshold=threshold,
                by=PersonRule.BEST,
                top=5,
            )
        except FacekitError as error:  # such as a gallery that is locked; the next may be answered
            return WatchedPhoto(path, error=error)
        if found.failures:
            return WatchedPhoto(path, error=found.failures[0].error)
        return WatchedPhoto(path, identified=found)

    return identified


def _compare_with(
    known: Sequence[str], pipeline: Pipeline, threshold: ThresholdChoice
) -> Callable[[Path], WatchedPhoto]:
    chosen = pipeline.threshold(threshold)
    people = [without_pictures(one) for one in pipeline.embed(known)]

    def compared(path: Path) -> WatchedPhoto:
        (found,) = embed_each(pipeline, [str(path)])
        if isinstance(found, PhotoFailure):
            return WatchedPhoto(path, error=found.error)
        verifications = [
            pipeline.compare(one, found, threshold=chosen, metric=threshold.metric)
            for one in people
        ]
        best = max(verifications, key=lambda one: one.decision.similarity)
        return WatchedPhoto(path, verification=best)

    return compared


def _closed_files(
    folder: Path, interval_s: float, present: int, reporter: Reporter
) -> ClosedFiles | None:
    """Returns what tells of new photos at once, or None where the looks must do, and says which."""
    closed = None
    try:
        closed = ClosedFiles(folder, wanted=is_photo_file)
        how = "photos are seen when they are written"
    except MissingExtraError as error:
        how = f"a look every {interval_s:g} s. {error}"
    except OSError as error:
        how = f"a look every {interval_s:g} s, since inotify cannot be used: {error}"
    left_out = f", without the {present} photos that are there" if present else ""
    reporter.note(f"watching {folder}{left_out}: {how}")
    return closed
