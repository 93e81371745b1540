"""How fast and how well faces are followed in 640 x 480 videos, on one thread.

    PYTHONPATH=. python benchmarks/track_speed.py
    PYTHONPATH=. python benchmarks/track_speed.py --every 1 3 5 10 15

Scenes are made of the photos in tests/data.  Both clocks are shown: CPU time is what one
otherwise idle core would take.  "place" follows by place alone, as without embeddings; "MIL" is
OpenCV's TrackerMIL between detections instead of optical flow, in milliseconds a face and frame.
Needs the default model and the detector.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.tasks.track import PipelineVision
from facekit.template.threshold import card_threshold
from facekit.types import Face, Float32Array, UInt8Array
from facekit.video.annotate import annotated
from facekit.video.reading import VideoReader
from facekit.video.records import Frame, TrackOptions, VisibleFace
from facekit.video.tracking import Tracker
from facekit.video.writing import VideoWriter
from tests.video import clips
from tests.video.scoring import score

SCENES = {
    "crossing": clips.CROSSING,
    "pan": clips.PAN,
    "zoom": clips.ZOOM,
    "occlusion": clips.OCCLUSION,
}
NEVER = 2.0  # a cosine that no pair reaches


class Clock:
    """CPU milliseconds by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.spent[name] += (time.process_time() - start) * 1e3


class TimedVision:
    def __init__(self, vision: PipelineVision, clock: Clock) -> None:
        self._vision = vision
        self._clock = clock

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]:
        with self._clock.stage("detect"):
            return self._vision.detect(pixels)

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        with self._clock.stage("embed"):
            return self._vision.embed(pixels, faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, nargs="+", default=[1, 3, 5, 10])
    args = parser.parse_args()

    cv2.setNumThreads(1)
    pipeline = Pipeline(find(DEFAULT_MODEL), options=PipelineOptions(threads=1))
    vision = PipelineVision(pipeline)
    same = card_threshold(pipeline.model.card.calibration, pipeline.threshold_space).similarity
    warm = next(clips.ZOOM.pictures())
    for _ in range(2):
        vision.embed(warm, vision.detect(warm))

    print(f"OpenCV {cv2.__version__}, one thread, 640 x 480; frames a second")
    print("scene      every  by CPU  by wall  switches  found  IoU    CPU ms a frame: stages")
    with TemporaryDirectory() as folder:
        for name, scene in SCENES.items():
            path = scene.write(Path(folder) / f"{name}.avi")
            for every in args.every:
                row(name, scene, path, vision, same, every)
            row(f"{name[:4]} place", scene, path, vision, NEVER, 5)
        print(f"\npeak memory {peak_mb():.0f} MB, ", end="")
        frames = many_times(Path(folder) / "crossing.avi", vision, same, 15)
        print(f"after {frames} frames more, annotated, {peak_mb():.0f} MB")
    print(f"TrackerMIL: {mil_ms(vision):.1f} ms a face and frame")


def row(
    name: str, scene: clips.Scene, path: Path, vision: PipelineVision, same: float, every: int
) -> None:
    clock = Clock()
    tracker = Tracker(
        TimedVision(vision, clock), same_similarity=same, options=TrackOptions(key_every=every)
    )
    sights: list[list[VisibleFace]] = []
    cpu, wall = time.process_time(), time.perf_counter()
    with VideoReader(str(path), max_pixels=10**7) as reader:
        frames = reader.frames()
        while True:
            with clock.stage("decode"):
                frame = next(frames, None)
            if frame is None:
                break
            tracker.step(frame)
            sights.append(tracker.visible)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    result = score(scene, sights)
    count = len(sights)
    spent = {**clock.spent, "rest": cpu * 1e3 - sum(clock.spent.values())}
    stages = ", ".join(f"{stage} {ms / count:.1f}" for stage, ms in spent.items())
    print(
        f"{name:10} {every:5}  {count / cpu:6.0f}  {count / wall:7.0f}  {result.switches:8}  "
        f"{result.found:5.1%} {result.mean_iou:.3f}  {stages}",
        flush=True,
    )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many_times(path: Path, vision: PipelineVision, same: float, times: int) -> int:
    """One long video out of one scene again and again; returns its number of frames."""
    tracker = Tracker(vision, same_similarity=same)
    count = 0
    with VideoWriter(path.with_name("long.mp4"), fps=clips.FPS) as writer:
        for _ in range(times):
            with VideoReader(str(path), max_pixels=10**7) as reader:
                for frame in reader.frames():
                    tracker.step(Frame(count, count / clips.FPS, frame.pixels))
                    writer.write(annotated(frame.pixels, tracker.visible))
                    count += 1
    return count


def mil_ms(vision: PipelineVision) -> float:
    frames = list(islice(clips.PAN.pictures(), 11))
    x1, y1, x2, y2 = (round(side) for side in vision.detect(frames[0])[0].box_xyxy.tolist())
    tracker = cv2.TrackerMIL.create()
    tracker.init(frames[0], (x1, y1, x2 - x1, y2 - y1))
    start = time.process_time()
    for frame in frames[1:]:
        tracker.update(frame)
    return (time.process_time() - start) * 1e3 / (len(frames) - 1)


if __name__ == "__main__":
    main()
