"""track: follows people through a video, names them from a gallery, and writes an annotated video.

One frame is in memory at a time, whatever the video's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from facekit.enums import CropRule, FacePolicy, Metric
from facekit.errors import InputError, UsageError
from facekit.gallery.address import default_url
from facekit.gallery.gallery import Gallery
from facekit.gallery.identify import OpenSetChoice, OpenSetThreshold, identify
from facekit.photo.decode import Picture
from facekit.pipeline.locate import Locator
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import LocatedPicture
from facekit.reporter import SILENT, Reporter
from facekit.system.files import require_free
from facekit.tasks.gallery import GalleryLocation, open_gallery
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from facekit.template.threshold import threshold_members
from facekit.types import Face, Float32Array, UInt8Array
from facekit.video.annotate import annotated
from facekit.video.reading import VideoReader
from facekit.video.records import FinishedTrack, Frame, Identity, Namer, TrackOptions
from facekit.video.tracking import Tracker, nobody
from facekit.video.writing import VideoWriter


@dataclass(frozen=True, slots=True)
class TrackedPerson:
    """The track of one person through a video."""

    video: str
    track: FinishedTrack
    threshold: OpenSetThreshold | None
    """Threshold of known faces; None without a gallery."""
    metric: Metric
    """Metric in which the threshold is shown as a distance."""
    output: Path | None
    """The video with boxes and names."""
    model: str
    """The model as "name:variant"."""
    model_sha256: str

    @property
    def named(self) -> bool:
        """True if a gallery was searched for the name."""
        return self.threshold is not None

    def to_dict(self) -> dict[str, Any]:
        return {
            "video": self.video,
            "output": self.output and str(self.output),
            "model": self.model,
            "model_sha256": self.model_sha256,
            **self.track.to_dict(),
            "metric": self.metric.value,
            **threshold_members(self.threshold, self.metric),
        }


@dataclass(frozen=True, slots=True)
class TrackEnd:
    """The result of following the people of a video."""

    found: bool
    """True if a person was followed and, with a gallery, at least one is known."""
    interrupted: bool
    """True if the caller stopped before the video's end."""
    damage: InputError | None
    """The unreadable part of a truncated or damaged video, in words; the tracks before it are
    reported."""
    warning: str | None
    """The decoder's warning, if every frame could be read."""


def track(
    video: str,
    *,
    request: PipelineRequest | None = None,
    options: TrackOptions | None = None,
    location: GalleryLocation | None = None,
    threshold: OpenSetChoice | None = None,
    output: Path | None = None,
    force: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> Iterator[TrackedPerson | TrackEnd]:
    """Yields each person of a video when their track ends, and then the TrackEnd.

    `video`: a regular file, "-" for standard input, a stream's URL, or a camera's number.
    Names come from the gallery; if no URL is given, from the default gallery if it exists.
    `threshold`: of known faces, with their least margin; None means one that depends on the
    gallery's size, see `OpenSetChoice`.  `output`: file for the video with boxes and names; it is
    written completely or not at all, after the iterator's end.  `force`: replace an existing file.
    `should_stop`: called before each frame.
    Raises UsageError, InputError for a video that cannot be opened, StorageError, and the errors of
    opening the gallery and the pipeline.
    """
    if output is not None and output.resolve() == Path(video).resolve():
        raise UsageError(f"-o would replace the video itself: {video}")
    require_free(output, force=force)
    request = replace(request or PipelineRequest(), face=FacePolicy.ALL)
    threshold = threshold or OpenSetChoice()
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(video, max_pixels=request.limits.max_pixels))
        pipeline = open_pipeline(request, reporter=reporter)
        gallery = _gallery(location or GalleryLocation())
        namer: Namer = nobody
        known_from: OpenSetThreshold | None = None
        if gallery is not None:
            stack.enter_context(gallery)
            known_from = threshold.of(
                pipeline.model.card.calibration,
                pipeline.threshold_space,
                comparisons=gallery.info().template_count,
            )
            namer = _namer(gallery, pipeline, known_from)
        options = options or TrackOptions()
        if options.start_score is None:
            sure = pipeline.options.locate.own_options.sure_score
            options = replace(options, start_score=sure)
        tracker = Tracker(
            PipelineVision(pipeline),
            same_similarity=pipeline.threshold().similarity,
            options=options,
            namer=namer,
        )
        writer = (
            None if output is None else stack.enter_context(VideoWriter(output, fps=reader.fps))
        )
        found = interrupted = False

        def goes_on(_frame: Frame) -> bool:
            nonlocal interrupted
            interrupted = should_stop()
            return not interrupted

        for person in follow(takewhile(goes_on, _shown(reader, reporter)), tracker, writer):
            found = found or gallery is None or person.identity.name is not None
            yield TrackedPerson(
                video,
                person,
                known_from,
                threshold.choice.metric,
                output=output,
                model=pipeline.space.model,
                model_sha256=pipeline.space.model_sha256,
            )
    damage, warning = (None, None) if interrupted else _complaints(reader)
    yield TrackEnd(found, interrupted, damage, warning)


def follow(
    frames: Iterable[Frame], tracker: Tracker, output: VideoWriter | None = None
) -> Iterator[FinishedTrack]:
    """Yields each track when it ends, and then the remaining tracks in the order of their numbers.

    Raises the errors of reading, detecting and writing.
    """
    for frame in frames:
        yield from tracker.step(frame)
        if output is not None:
            output.write(annotated(frame.pixels, tracker.visible))
    yield from tracker.finish()


class PipelineVision:
    """Detects and embeds faces in frames with a pipeline; see `facekit.video.records.Vision`."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Raises UsageError for a crop rule without faces."""
        if pipeline.crop_spec.rule is CropRule.NONE:
            raise UsageError("Following faces needs detection and a crop rule other than none.")
        self._pipeline = pipeline
        self._locator = Locator(options=pipeline.options.locate)

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]:
        """Returns all faces of a (H, W, 3) RGB frame, highest score first."""
        (faces,) = self._locator.detect([pixels])
        return faces

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        """Returns (N, D) unit vectors."""
        frame = Picture("frame", pixels, sha256="")
        located = LocatedPicture(frame, tuple(faces), tuple(faces))
        return self._pipeline.embedder.embed(self._pipeline.crop(located))


def _gallery(location: GalleryLocation) -> Gallery | None:
    """Opens the gallery; returns None if none is named and there is none at the default path."""
    if location.url is None and not Path(default_url()).exists():
        return None
    return open_gallery(location)


def _namer(gallery: Gallery, pipeline: Pipeline, known_from: OpenSetThreshold) -> Namer:
    space = pipeline.space

    def name(embedding: Float32Array) -> Identity:
        (answer,) = identify(
            gallery,
            embedding[None],
            space,
            threshold_similarity=known_from.similarity,
            min_margin=known_from.min_margin,
            top=1,
        )
        if not answer.candidates:
            return Identity(None, None)
        best = answer.candidates[0]
        return Identity(best.name if answer.known else None, best.similarity)

    return name


def _shown(reader: VideoReader, reporter: Reporter) -> Iterator[Frame]:
    """Yields the frames, as steps of the reporter if their number is known."""
    if reader.frame_count is None:
        return reader.frames()
    return reporter.steps(reader.frames(), length=reader.frame_count, label="following")


def _complaints(reader: VideoReader) -> tuple[InputError | None, str | None]:
    """A video that ends early is an error, though what could be read has been reported."""
    because = f" The decoder says: {reader.complaint}" if reader.complaint else ""
    if reader.missing_s:
        error = InputError(
            f"{reader.source}: the last {reader.missing_s:.1f} s could not be read; the file is "
            f"truncated or damaged.{because}"
        )
        return error, None
    return None, f"{reader.source}: some frames may be damaged.{because}" if because else None
