"""From frames to finished tracks and an annotated video, one frame in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from facekit.video.annotate import annotated
from facekit.video.records import FinishedTrack, Frame
from facekit.video.tracking import Tracker
from facekit.video.writing import VideoWriter


def follow(
    frames: Iterable[Frame], tracker: Tracker, output: VideoWriter | None = None
) -> Iterator[FinishedTrack]:
    """Each track as soon as it is over; those that last to the end come by number.

    Raises what reading, detecting and writing raise.
    """
    for frame in frames:
        yield from tracker.step(frame)
        if output is not None:
            output.write(annotated(frame.pixels, tracker.visible))
    yield from tracker.finish()
