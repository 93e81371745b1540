"""facekit track"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import (
    crop_options,
    detector_options,
    image_options,
    json_option,
    model_option,
    threads_option,
)
from facekit.enums import FacePolicy

if TYPE_CHECKING:
    from facekit.pipeline.pipeline import Pipeline
    from facekit.video.reading import VideoReader
    from facekit.video.records import FinishedTrack, Frame, Namer

EXIT_FOUND, EXIT_NOBODY, EXIT_INTERRUPTED = 0, 1, 130


@click.command()
@click.argument("video")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Frames from one detection to the next; between them faces are followed by their motion.",
)
@click.option(
    "--longest-gap",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds that a face may be out of sight and still continue its track.",
)
@click.option(
    "--min-detections",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Leave out tracks that were detected less often.",
)
@click.option(
    "--start-score",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Detector's score from which a face begins a track; lower ones can continue it.",
)
@click.option("--threshold", type=float, help="Largest cosine distance of a known face, 0..2.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the video with boxes and names here: .mp4, .mov, .mkv, .avi or .webm.",
)
@gallery_options
@model_option
@detector_options
@crop_options
@image_options
@threads_option
@json_option
def track(
    video: str,
    every: int,
    longest_gap: float,
    min_detections: int,
    start_score: float,
    threshold: float | None,
    output: Path | None,
    gallery_url: str | None,
    key_file: Path | None,
    model: str,
    max_megapixels: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Follow the people in VIDEO: a file or pipe, - for stdin, a URL or a camera's number.

    One line a person, as soon as they are gone.  Names come from the gallery, where there is
    one.  Exit code 0 when somebody was found, with a gallery somebody known; 1 otherwise.
    Ctrl-C ends the video here: what was found so far is written, and the exit code is 130.

    \b
    Example: facekit track entrance.mp4
             ffmpeg -i cam.mp4 -f mpegts - | facekit track -
             facekit track 0 --gallery people.db --output seen.mp4 --json
    """
    from facekit.cli.open_pipeline import open_pipeline
    from facekit.cli.render.output import emit_json_line
    from facekit.cli.terminal import asked_to_stop
    from facekit.errors import UsageError
    from facekit.tasks.track import follow
    from facekit.tasks.vision import PipelineVision
    from facekit.template.threshold import card_threshold
    from facekit.video.reading import VideoReader
    from facekit.video.records import TrackOptions
    from facekit.video.tracking import Tracker
    from facekit.video.writing import VideoWriter

    if output is not None and output.resolve() == Path(video).resolve():
        raise UsageError(f"--output would replace the video itself: {video}")
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(video, max_pixels=int(max_megapixels * 1e6)))
        pipeline = open_pipeline(
            model,
            face_policy=FacePolicy.ALL,
            no_detect=False,
            max_megapixels=max_megapixels,
            **options,
        )
        namer = _namer(stack, pipeline, gallery_url, key_file, threshold)
        tracker = Tracker(
            PipelineVision(pipeline),
            options=TrackOptions(
                same_similarity=card_threshold(
                    pipeline.model.card.calibration, pipeline.threshold_space
                ).similarity,
                key_every=every,
                longest_gap_s=longest_gap,
                start_score=start_score,
                least_detections=min_detections,
            ),
            **({} if namer is None else {"namer": namer}),
        )
        asked = stack.enter_context(asked_to_stop())
        writer = (
            None if output is None else stack.enter_context(VideoWriter(output, fps=reader.fps))
        )
        found = False
        frames = takewhile(lambda _: not asked.is_set(), _shown(reader))
        for person in follow(frames, tracker, writer):
            found = found or namer is None or person.identity.name is not None
            if as_json:
                emit_json_line({"video": video, **_payload(person)})
            else:
                click.echo(_line(person, named=namer is not None))
    if asked.is_set():
        raise SystemExit(EXIT_INTERRUPTED)
    _report_damage(reader, as_json=as_json)
    raise SystemExit(EXIT_FOUND if found else EXIT_NOBODY)


def _namer(
    stack: ExitStack,
    pipeline: Pipeline,
    gallery_url: str | None,
    key_file: Path | None,
    threshold: float | None,
) -> Namer | None:
    """Asks the gallery; None where none was named and there is none at the default place."""
    from facekit.cli.gallery_options import gallery_at
    from facekit.gallery.gallery import default_url
    from facekit.gallery.identify import default_threshold, distance_threshold, identify
    from facekit.types import Float32Array
    from facekit.video.records import Identity

    if gallery_url is None and not Path(default_url()).exists():
        return None
    gallery = stack.enter_context(gallery_at(gallery_url, key_file))
    measured = (pipeline.model.card.calibration, pipeline.threshold_space)
    comparisons = gallery.info().templates
    cut = (
        default_threshold(*measured, comparisons=comparisons)
        if threshold is None
        else distance_threshold(*measured, distance=threshold, comparisons=comparisons)
    )

    def name(embedding: Float32Array) -> Identity:
        (answer,) = identify(
            gallery, embedding[None], pipeline.space, threshold_similarity=cut.similarity, top=1
        )
        if not answer.candidates:
            return Identity(None, None)
        best = answer.candidates[0]
        return Identity(best.name if answer.known else None, best.similarity)

    return name


def _shown(reader: VideoReader) -> Iterator[Frame]:
    """The frames; with a bar on a terminal where their number is known."""
    from facekit.cli.terminal import with_progress

    if reader.frame_count is None:
        return reader.frames()
    return with_progress(reader.frames(), length=reader.frame_count, label="following")


def _report_damage(reader: VideoReader, *, as_json: bool) -> None:
    """A video that ends early is an error, though what could be read has been reported."""
    from facekit.cli.render.output import emit_json_line, note
    from facekit.errors import InputError

    because = f" The decoder says: {reader.complaint}" if reader.complaint else ""
    if reader.missing_s:
        error = InputError(
            f"{reader.source}: the last {reader.missing_s:.1f} s could not be read; the file is "
            f"truncated or damaged.{because}"
        )
        if as_json:
            emit_json_line(error.to_dict())
        note(f"error: {error}")
        raise SystemExit(error.exit_code)
    if because:
        note(f"{reader.source}: some frames may be damaged.{because}")


def _payload(person: FinishedTrack) -> dict[str, Any]:

    best = person.best
    return {
        "track": person.number,
        "start_s": round(person.start_s, 3),
        "end_s": round(person.end_s, 3),
        "frames": person.frames,
        "spans": [[span.first, span.last] for span in person.spans],
        "detections": person.detections,
        "faces_embedded": person.samples,
        "name": person.identity.name,
        "similarity": person.identity.similarity,
        "best_face": {
            "frame": best.frame,
            "time_s": round(best.time_s, 3),
            "quality": round(best.quality, 4),
            **best.face.to_dict(),
        },
    }


def _line(person: FinishedTrack, *, named: bool) -> str:
    """Track, times, frames, and with a gallery name and similarity."""
    text = f"#{person.number}\t{person.start_s:.2f}-{person.end_s:.2f} s\t{person.frames} frames"
    if not named:
        return text
    name, similarity = person.identity.name or "unknown", person.identity.similarity
    return f"{text}\t{name}" + ("" if similarity is None else f"\tsimilarity {similarity:.4f}")
