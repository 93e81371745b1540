"""Many threads on one pipeline: the answers of one thread, and the times of each call alone."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import facekit
from facekit import DetectorOptions, Metric
from facekit.template.threshold import given_threshold
from facekit.types import UInt8Array

N_THREADS = 8
THRESHOLD = given_threshold(0.6, Metric.COSINE)

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def faces(data: Path) -> list[UInt8Array]:
    """The faces of tests/data, with some of what is around them, 160 px high."""
    small = []
    for located in facekit.detect(sorted(data.glob("*.jpg"))):
        x1, y1, x2, y2 = (int(value) for value in located.faces[0].box_xyxy)
        cut = located.picture.pixels[max(0, y1 - 60) : y2 + 60, max(0, x1 - 60) : x2 + 60]
        width = round(160 * cut.shape[1] / cut.shape[0])
        small.append(np.asarray(cv2.resize(cut, (width, 160)), np.uint8))
    return small


@pytest.mark.parametrize("count", [80, pytest.param(400, marks=pytest.mark.slow)])
def test_answers_are_those_of_one_thread(faces: list[UInt8Array], count: int) -> None:
    detector = DetectorOptions(min_face_px=60)
    every_pair = list(itertools.product(faces, repeat=2))
    alone = facekit.load(detector_options=detector)
    expected = [alone.verify(*pair, threshold=THRESHOLD).decision for pair in every_pair]
    assert {bool(one.same) for one in expected} == {True, False}

    # Not loaded: the threads race for that as well.
    shared = facekit.load(detector_options=detector)
    wrong: list[str] = []
    done = itertools.count()
    together = threading.Barrier(N_THREADS)

    def work(first: int) -> None:
        together.wait()
        for index in range(first, count, N_THREADS):
            which = index % len(every_pair)
            start = time.perf_counter()
            try:
                result = shared.verify(*every_pair[which], threshold=THRESHOLD)
            except Exception as error:
                wrong.append(f"{index}: {error!r}")
                continue
            spent_ms = (time.perf_counter() - start) * 1e3
            if result.decision != expected[which]:
                wrong.append(f"{index}: {result.decision}, not {expected[which]}")
            if sum(result.timings_ms.values()) > spent_ms:
                wrong.append(f"{index}: {result.timings_ms} in {spent_ms} ms")
            next(done)

    crew = [threading.Thread(target=work, args=(first,)) for first in range(N_THREADS)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert wrong == []
    assert next(done) == count


def test_each_call_has_its_own_times(data: Path) -> None:
    pipeline = facekit.load(threads=1)
    first = pipeline.verify(data / "obama.jpg", data / "biden.jpg", threshold=THRESHOLD)
    second = pipeline.verify(data / "obama.jpg", data / "biden.jpg", threshold=THRESHOLD)
    stages = ["decode", "load", "detect", "align", "embed", "match"]
    assert list(first.timings_ms) == stages
    assert list(second.timings_ms) == [stage for stage in stages if stage != "load"]
    compared = pipeline.compare(second.a, second.b, threshold=THRESHOLD)
    assert list(compared.timings_ms) == ["match"]
