"""What the benchmarks share: photos, timing in turn, our detectors, the mtcnn package's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias, TypeVar

import cv2
import numpy as np

from facekit.face.mtcnn.options import MtcnnOptions
from facekit.photo.decode import load_picture
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import Face, Float32Array, UInt8Array

REPOSITORY = Path(__file__).resolve().parent.parent

Detect: TypeAlias = Callable[[UInt8Array], tuple[Face, ...]]


Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Row:
    """What one program takes for one piece of work; medians."""

    group: str
    """the work: rows of one group can be compared"""
    name: str
    wall: float
    processor: float
    peak_mb: int | None = None
    """the largest resident set of a process; None where several share one"""


def in_turn(
    group: str, programs: Mapping[str, Callable[[Given], object]], inputs: Iterable[Given]
) -> list[Row]:
    """Medians in ms over `inputs`, each of which every program works on in its turn.

    A change in the machine's load then hits all alike.  Each has had the first input before, which
    is not counted.
    """
    given = list(inputs)
    for run in programs.values():
        run(given[0])
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for one in given:
        for name, run in programs.items():
            start, processor = time.perf_counter(), time.process_time()
            run(one)
            spent[name].append(
                (time.perf_counter() - start, time.process_time() - processor),
            )
    rows = []
    for name, times in spent.items():
        wall, processor = np.median(times, axis=0) * 1e3
        rows.append(Row(group, name, round(wall, 2), round(processor, 2)))
    return rows


def print_rows(rows: Sequence[Row], *, unit: str) -> None:
    """A table for each group; ratios are of processor time, to the group's first row."""
    for group, members in groupby(rows, lambda row: row.group):
        print(f"{group}: wall, processor time ({unit}), ratio, largest resident set")
        first = None
        for row in members:
            first = first or row
            peak = "" if row.peak_mb is None else f"  {row.peak_mb:6} MB"
            print(
                f"  {row.name:24} {row.wall:9.2f} {row.processor:9.2f} "
                f"{row.processor / first.processor:6.2f}{peak}"
            )


def lfw_photos(count: int) -> list[Path]:
    """`count` of LFW's photos, evenly spread over all in the order of their names."""
    folder = Path(os.environ.get("FACEKIT_LFW") or REPOSITORY.parent / "shared" / "lfw")
    photos = sorted(folder.glob("**/*.jpg"))
    if len(photos) < count:
        raise SystemExit(f"{count} LFW photos needed in {folder}, {len(photos)} found: FACEKIT_LFW")
    return [photos[place] for place in np.linspace(0, len(photos) - 1, count).astype(int)]


def pixels(path: Path) -> UInt8Array:
    """RGB uint8 (H, W, 3)."""
    return load_picture(path).pixels


def facekit_detector(*, threads: int = 1, options: MtcnnOptions | None = None) -> Detect:
    """Our cascade on the installed nets."""
    cv2.setNumThreads(threads)
    detector = Locator(options=LocateOptions(threads=threads)).detector
    return lambda image: detector.detect([image], options=options)[0]


def mtcnn_package() -> Detect:
    """The package's cascade at our thresholds, with unclipped, unrounded coordinates."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from mtcnn import MTCNN

    peer = MTCNN()

    def detect(image: UInt8Array) -> tuple[Face, ...]:
        rows = peer.detect_faces(
            image,
            fit_to_image=False,
            box_format="xyxy",
            output_type="numpy",
            threshold_onet=0.7,
        )
        return tuple(_face(row.astype(np.float32)) for row in rows)

    return detect


def _face(row: Float32Array) -> Face:
    """(16,): image, x1, y1, x2, y2, score, x of five landmarks, y of the five."""
    landmarks = np.stack([row[6:11], row[11:16]], axis=1)
    return Face(row[1:5], landmarks, min(float(row[5]), 1.0))
