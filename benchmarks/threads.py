"""Verifications by many threads of one process: on one pipeline, and on a pipeline each.

    python benchmarks/threads.py
    python benchmarks/threads.py --threads 4 --verifies 100

The photos are those of tests/data, 250 px high, as encoded JPEG.  Each way runs in a process of
its own, in turn, after a warm-up of one verify a thread; the answers must be those of one thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

import facekit
from facekit.photo.write import jpeg_bytes
from facekit.template.threshold import given_threshold

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("one thread", "one pipeline", "a pipeline each")
_THRESHOLD = given_threshold(0.6, facekit.Metric.COSINE)


def photos() -> list[bytes]:
    encoded = []
    for located in facekit.detect(sorted((ROOT / "tests" / "data").glob("*.jpg"))):
        height, width = located.picture.pixels.shape[:2]
        small = cv2.resize(located.picture.pixels, (round(250 * width / height), 250))
        encoded.append(jpeg_bytes(np.asarray(small, np.uint8)))
    return encoded


def measure(way: str, n_threads: int, n_verifies: int) -> dict[str, float | list[float]]:
    """Seconds, resident megabytes, and the similarity of each pair."""
    every_pair = itertools.cycle(itertools.product(photos(), repeat=2))
    pairs = list(itertools.islice(every_pair, n_verifies))
    workers = 1 if way == "one thread" else n_threads
    pipelines = [facekit.load() for _ in range(workers if way == "a pipeline each" else 1)]
    similarities = [0.0] * n_verifies

    def work(worker: int) -> None:
        pipeline = pipelines[worker % len(pipelines)]
        for index in range(worker, n_verifies, workers):
            result = pipeline.verify(*pairs[index], threshold=_THRESHOLD)
            similarities[index] = result.decision.similarity

    for pipeline in pipelines:
        pipeline.verify(*pairs[0], threshold=_THRESHOLD)
    start = time.perf_counter()
    crew = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return {
        "seconds": time.perf_counter() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "similarities": similarities,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--verifies", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="measure this alone, and write it as JSON")
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args.threads, args.verifies)))
        return
    found: dict[str, list[dict[str, list[float]]]] = {way: [] for way in WAYS}
    sizes = ("--threads", str(args.threads), "--verifies", str(args.verifies))
    for _, way in itertools.product(range(args.rounds), WAYS):
        command = [sys.executable, __file__, *sizes, "--way", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way].append(json.loads(done.stdout))
    alone = np.array(found["one thread"][0]["similarities"])
    for way, runs in found.items():
        seconds, peak_mb = (np.array([run[key] for run in runs]) for key in ("seconds", "peak_mb"))
        off = max(np.abs(np.array(run["similarities"]) - alone).max() for run in runs)
        print(
            f"{way:16} {args.verifies / np.median(seconds):6.1f} verifies/s "
            f"(best {args.verifies / seconds.min():.1f})  {np.median(peak_mb):5.0f} MB  "
            f"off by at most {off:.1e}"
        )


if __name__ == "__main__":
    main()
