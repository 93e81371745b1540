"""Many photos: one worker against two, pairs against photos, and memory over many verifies.

    python benchmarks/throughput.py --photos 500 --verifies 10000
    python benchmarks/throughput.py --verifies 10000 --only memory

Workers take turns in the order 1, 2, 1, 2, ... and ratios are of the shortest runs.  Needs LFW
(FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter

import numpy as np
from peers import lfw_photos

import facekit
from facekit.enums import Metric
from facekit.pipeline.photos import embed_each
from facekit.pipeline.pipeline import Pipeline
from facekit.tasks.verify_pairs import PhotoPair, verify_each
from facekit.template.threshold import given_threshold

_STARTING = 50
_THRESHOLD = given_threshold(0.5, Metric.COSINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--verifies", type=int, default=1000)
    parser.add_argument("--only", choices=["memory"], help="leave the rest out")
    args = parser.parse_args()

    names = [str(path) for path in lfw_photos(args.photos)]
    pipeline = facekit.load(threads=1)
    if args.only != "memory":
        compare_workers(names, pipeline, args.rounds, args.pairs)
    resident = resident_mb(names[:50], pipeline, args.verifies)
    print(
        f"{args.verifies} verifies in one process: {resident[0]:.1f} MB after 100, "
        f"{resident[-1]:.1f} MB at the end, most {max(resident):.1f} MB"
    )


def compare_workers(names: list[str], pipeline: Pipeline, rounds: int, count: int) -> None:
    """Prints the shortest of the rounds, in which everything takes its turn."""
    pairs = random_pairs(names, count)
    spent: dict[int, list[Seconds]] = {1: [], 2: []}
    listed = []
    for _ in range(rounds):
        for workers, found in spent.items():
            found.append(embedding_s(names, pipeline, workers))
        start = perf_counter()
        for _ in verify_each(pipeline, pairs, threshold=_THRESHOLD):
            pass
        listed.append(perf_counter() - start)
    one, two = (min(found.whole for found in all_found) for all_found in spent.values())
    print(f"embedding {len(names)} photos: 1 worker {one:.1f} s, 2 workers {two:.1f} s, start-up")
    print(f"included: {one / two:.2f} x as fast")
    one_later, two_later = (min(found.later for found in all_found) for all_found in spent.values())
    print(f"the photos after the first {_STARTING}: {one_later / two_later:.2f} x as fast")
    print(
        f"verify --pairs, {count} pairs over them: {min(listed):.1f} s, "
        f"{min(listed) / one:.2f} x one worker's time"
    )


@dataclass(frozen=True, slots=True)
class Seconds:
    whole: float
    later: float
    """from the result of photo number _STARTING to the last"""


def embedding_s(names: list[str], pipeline: Pipeline, workers: int) -> Seconds:
    """With one worker as with two, photos are worked on one at a time by one thread."""
    start = begun = perf_counter()
    for number, result in enumerate(embed_each(pipeline, names, workers=workers), 1):
        assert result.name
        if number == _STARTING:
            begun = perf_counter()
    return Seconds(perf_counter() - start, perf_counter() - begun)


def random_pairs(names: list[str], count: int) -> list[PhotoPair]:
    chosen = np.random.default_rng(0).integers(0, len(names), (count, 2))
    return [PhotoPair(names[a], names[b]) for a, b in chosen]


def resident_mb(names: list[str], pipeline: Pipeline, verifies: int) -> list[float]:
    """Resident memory after 100 verifies and after each further 100."""
    found = []
    others = cycle(names[1:])
    for number, name in enumerate(islice(cycle(names), verifies), 1):
        try:
            pipeline.verify(name, next(others), threshold=_THRESHOLD)
        except facekit.FaceError:
            continue
        finally:
            if number % 100 == 0:
                found.append(current_rss_mb())
    return found


def current_rss_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


if __name__ == "__main__":
    main()
