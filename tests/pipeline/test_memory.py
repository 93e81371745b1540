"""Memory over many verifies in one process: what a long-running script would see."""

from __future__ import annotations

from pathlib import Path

import pytest

import facekit
from facekit.enums import Metric
from facekit.template.threshold import given_threshold


def resident_mb() -> float:
    fields = Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()
    return int(fields[0]) / 1024


@pytest.mark.model
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("verifies", [60, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(verifies: int, data: Path) -> None:
    """Within 10 MB of what it was when every pyramid level had been seen."""
    pipeline = facekit.load(threads=1)
    threshold = given_threshold(0.6, Metric.COSINE)
    photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
    settled = min(100, verifies // 2)
    after_settling = 0.0
    for number in range(verifies):
        pipeline.verify(photos[number % 3], photos[(number + 1) % 3], threshold=threshold)
        if number == settled:
            after_settling = resident_mb()
    assert resident_mb() <= after_settling + 10
