"""Scaling curves: how time and memory grow with the work, as a JSON file and plots.

    python benchmarks/scaling.py -o docs/explanation/performance

Detection against pixels and against faces, verify --pairs against pairs, the comparison matrix
against embeddings.  Every point is measured in a process of its own, so that its memory is its
own.  Needs the models, LFW (FACEKIT_LFW or ../shared/lfw) and matplotlib.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from peers import REPOSITORY, lfw_photos, pixels

import facekit
from facekit.bench.machine import description, peak_rss_bytes
from facekit.enums import Metric
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.system.processes import Crash, map_processes
from facekit.tasks.verify_pairs import PhotoPair, verify_each
from facekit.template.match import similarity_matrix, unit_length
from facekit.template.threshold import given_threshold

_RUNS = 5
_LFW_SIDE = 250
_PHOTOS_OF_PAIRS = 100


@dataclass(frozen=True, slots=True)
class Point:
    """One size of one curve."""

    curve: str
    size: int


@dataclass(frozen=True, slots=True)
class Measured:
    x: float
    ms: float
    """of the shortest of several runs"""
    peak_mb: float


def detection_by_pixels(side: int) -> tuple[float, Callable[[], object]]:
    """A portrait with a long side of `side` pixels; x in megapixels."""
    return _detection(side, MtcnnOptions())


def detection_full_size(side: int) -> tuple[float, Callable[[], object]]:
    """The same without the reduced copy."""
    return _detection(side, MtcnnOptions(search_side_px=0))


def _detection(side: int, options: MtcnnOptions) -> tuple[float, Callable[[], object]]:
    portrait = pixels(REPOSITORY / "tests" / "data" / "obama.jpg")
    ratio = side / max(portrait.shape[:2])
    height, width = (round(length * ratio) for length in portrait.shape[:2])
    image = np.asarray(cv2.resize(portrait, (width, height)), np.uint8)
    detector = Locator().detector
    return height * width / 1e6, lambda: detector.detect([image], options=options)


def detection_by_faces(count: int) -> tuple[float, Callable[[], object]]:
    """A 4 x 4 mosaic, 1000 x 1000 pixels, of which `count` tiles are LFW photos; x faces found."""
    mosaic = np.full((4 * _LFW_SIDE, 4 * _LFW_SIDE, 3), 127, np.uint8)
    for place, photo in enumerate(lfw_photos(16)[:count]):
        row, column = (_LFW_SIDE * step for step in divmod(place, 4))
        mosaic[row : row + _LFW_SIDE, column : column + _LFW_SIDE] = pixels(photo)
    detector = Locator(options=LocateOptions()).detector
    faces = len(detector.detect([mosaic])[0])
    return faces, lambda: detector.detect([mosaic])


def pairs(count: int) -> tuple[float, Callable[[], object]]:
    """`count` pairs over the same 100 photos, each of which is embedded once."""
    names = [str(photo) for photo in lfw_photos(_PHOTOS_OF_PAIRS)]
    random = np.random.default_rng(count)
    chosen = [PhotoPair(names[a], names[b]) for a, b in random.integers(0, len(names), (count, 2))]
    pipeline = facekit.load(threads=1)
    pipeline.load()
    limit = given_threshold(0.5, Metric.COSINE)
    return count, lambda: list(verify_each(pipeline, chosen, threshold=limit))


def matrix(count: int) -> tuple[float, Callable[[], object]]:
    """All similarities of `count` embeddings."""
    vectors = unit_length(np.random.default_rng(0).standard_normal((count, 512), np.float32))
    return count, lambda: similarity_matrix(vectors, vectors)


CURVES: dict[str, tuple[Callable[[int], tuple[float, Callable[[], object]]], tuple[int, ...]]] = {
    "detection_by_pixels": (detection_by_pixels, (250, 500, 1000, 2000, 4000)),
    "detection_full_size": (detection_full_size, (250, 500, 1000, 2000, 4000)),
    "detection_by_faces": (detection_by_faces, (0, 1, 4, 8, 12, 16)),
    "pairs": (pairs, (10, 100, 1000, 10_000)),
    "matrix": (matrix, (100, 300, 1000, 3000, 10_000)),
}
TITLES = {
    "detection_by_pixels": ("Detection, default search side", "megapixels"),
    "detection_full_size": ("Detection at full size (--search-side 0)", "megapixels"),
    "detection_by_faces": ("Detection in 1 megapixel", "faces"),
    "pairs": ("verify --pairs over 100 photos", "pairs"),
    "matrix": ("Comparison matrix, N x N", "embeddings"),
}


def make_measure() -> Callable[[Point], Measured]:
    cv2.setNumThreads(1)

    def measure(point: Point) -> Measured:
        make, _ = CURVES[point.curve]
        x, run = make(point.size)
        spent = []
        for _ in range(_RUNS if point.curve != "pairs" else 1):
            start = perf_counter()
            run()
            spent.append((perf_counter() - start) * 1e3)
        return Measured(x, min(spent), peak_rss_bytes() / (1 << 20))

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--curve", choices=CURVES, action="append")
    args = parser.parse_args()

    found: dict[str, list[dict[str, float]]] = {}
    for curve in args.curve or CURVES:
        for size in CURVES[curve][1]:
            (result,) = map_processes(make_measure, [Point(curve, size)], workers=1)
            if isinstance(result, Crash):
                raise SystemExit(f"{curve} at {size}: the process ended with {result.exit_code}")
            print(f"{curve:22} {result.x:10g} {result.ms:10.2f} ms {result.peak_mb:7.0f} MB")
            found.setdefault(curve, []).append(
                {"x": result.x, "ms": result.ms, "peak_mb": result.peak_mb}
            )
    args.output.mkdir(parents=True, exist_ok=True)
    payload: dict[str, Any] = {"machine": description(), "curves": found}
    (args.output / "scaling.json").write_text(json.dumps(payload, indent=1) + "\n")
    plot(found, args.output / "scaling.svg")


def plot(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """One row a curve: time at the left, memory at the right."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "facekit"  # the same bytes for the same numbers
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(len(found), 2, figsize=(8, 2.2 * len(found)), squeeze=False)
    for (left, right), (curve, points) in zip(rows, found.items(), strict=True):
        title, unit = TITLES[curve]
        x = [point["x"] for point in points]
        left.plot(x, [point["ms"] for point in points], "o-", color="#2a6f97")
        left.set(title=title, xlabel=unit, ylabel="ms")
        right.plot(x, [point["peak_mb"] for point in points], "o-", color="#a4509a")
        right.set(title="peak memory", xlabel=unit, ylabel="MB", ylim=(0, None))
        if curve in ("pairs", "matrix"):
            left.set(xscale="log", yscale="log")
            right.set(xscale="log")
        else:
            left.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
