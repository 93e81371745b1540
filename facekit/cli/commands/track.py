"""facekit track"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from facekit.cli.command import Command
from facekit.cli.gallery_options import gallery_options
from facekit.cli.options import (
    crop_options,
    detector_options,
    image_options,
    json_lines_option,
    model_option,
    offline_option,
    threads_option,
)
from facekit.cli.output_options import force_option, output_file
from facekit.cli.render.output import emit_json_line, exit_with, note, note_error
from facekit.cli.render.people import note_least_similarity, track_row, track_table
from facekit.cli.threshold_options import min_margin_option, threshold_options
from facekit.cli.types import Real, Video, Whole
from facekit.errors import INTERRUPTED

if TYPE_CHECKING:
    from facekit.cli.terminal import StopRequest
    from facekit.tasks.gallery import GalleryLocation
    from facekit.tasks.track import TrackEnd
    from facekit.template.threshold import ThresholdChoice


@click.command(cls=Command, basic="gallery threshold every output model json")
@click.argument("video", type=Video())
@click.option(
    "--every",
    metavar="N",
    type=Whole(1),
    default=5,
    help="Frames from one detection to the next; between them faces are followed by their motion.",
)
@click.option(
    "--longest-gap",
    metavar="SECONDS",
    type=Real(0),
    default=2.0,
    help="Seconds that a face may be out of sight and still continue its track.",
)
@click.option(
    "--min-detections",
    metavar="N",
    type=Whole(1),
    default=2,
    help="Leave out tracks that were detected less often.",
)
@click.option(
    "--start-score",
    metavar="SCORE",
    type=Real(0, 1),
    help="Detector's score from which a face begins a track; lower ones can continue it.",
    show_default="mtcnn 0.9, yunet 0.8",
)
@threshold_options(default="by the gallery's size, as of identify")
@min_margin_option
@output_file("Write the video with boxes and names here: .mp4, .mov, .mkv, .avi or .webm.")
@force_option("the file of -o")
@gallery_options
@model_option
@detector_options
@crop_options
@image_options
@threads_option
@offline_option
@json_lines_option
def track(
    video: str,
    every: int,
    longest_gap: float,
    min_detections: int,
    start_score: float | None,
    choice: ThresholdChoice,
    min_margin: float | None,
    output: Path | None,
    force: bool,
    location: GalleryLocation,
    model: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Follow people through a video.

    VIDEO is a file or pipe, - for stdin, a URL or a camera's number.

    One line a person, as soon as they are gone.  Names come from the gallery, where there is
    one.  Exit code 0 when somebody was found, with a gallery somebody known; 1 otherwise.
    Ctrl-C ends the video here: what was found so far is written, and the exit code is 130.

    \b
    Example: facekit track entrance.mp4
             ffmpeg -i cam.mp4 -f mpegts - | facekit track -
             facekit track 0 --gallery people.db -o seen.mp4 --json
    """
    from facekit.cli.requests import open_set_choice, pipeline_request, track_options
    from facekit.cli.terminal import TerminalReporter, asked_to_stop
    from facekit.tasks.track import TrackEnd
    from facekit.tasks.track import track as track_people

    shown = None
    with ExitStack() as stack:

        @cache
        def asked() -> StopRequest:
            """From the first frame on; before it Ctrl-C ends the command as usual."""
            return stack.enter_context(asked_to_stop(signal.SIGINT))

        for result in track_people(
            video,
            request=pipeline_request(model, **options),
            options=track_options(
                every=every,
                longest_gap=longest_gap,
                min_detections=min_detections,
                start_score=start_score,
            ),
            location=location,
            threshold=open_set_choice(choice, None, min_margin),
            output=output,
            force=force,
            should_stop=lambda: asked().is_set(),
            reporter=TerminalReporter(),
        ):
            if isinstance(result, TrackEnd):
                end = result
            elif as_json:
                emit_json_line(result.to_dict())
            else:
                if shown is None:
                    note_least_similarity("known:", result)
                    shown = track_table(named=result.named)
                shown.echo(*track_row(result))
    _leave(end, as_json=as_json)


def _leave(end: TrackEnd, *, as_json: bool) -> NoReturn:
    """Tells of damage, after what could be read, and ends with the exit code."""
    if end.interrupted:
        raise SystemExit(INTERRUPTED)
    if end.damage is not None:
        if as_json:
            emit_json_line(end.damage.to_dict())
        note_error(str(end.damage))
    elif end.warning is not None:
        note(end.warning)
    exit_with([end.damage] if end.damage else (), answer=end.found)
