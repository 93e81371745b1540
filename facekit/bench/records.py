"""What a benchmark finds, whoever measured it: facekit, or TensorFlow Lite's benchmark_model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from facekit.enums import Stage
from facekit.errors import InputError


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of repeated runs, in milliseconds; None for what a log does not say."""

    count: int
    mean_ms: float
    min_ms: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None
    std_ms: float | None = None
    p5_ms: float | None = None
    first_ms: float | None = None
    last_ms: float | None = None

    @property
    def typical_ms(self) -> float:
        """The median, or the mean where that is all there is."""
        return self.mean_ms if self.median_ms is None else self.median_ms


def spread(milliseconds: Sequence[float]) -> Spread:
    """At least one time.  The deviation is that of the runs themselves, as benchmark_model's."""
    times = np.asarray(milliseconds, np.float64)
    p5, median, p95 = (float(value) for value in np.quantile(times, (0.05, 0.5, 0.95)))
    return Spread(
        count=len(times),
        mean_ms=float(times.mean()),
        min_ms=float(times.min()),
        median_ms=median,
        p95_ms=p95,
        max_ms=float(times.max()),
        std_ms=float(times.std()),
        p5_ms=p5,
        first_ms=float(times[0]),
        last_ms=float(times[-1]),
    )


class DelegateUse(str, Enum):
    """What became of the delegate that was asked for."""

    NOT_ASKED = "not asked for"
    USED = "used"
    PARTLY = "partly used"
    UNUSED = "not used"


@dataclass(frozen=True, slots=True)
class DelegateReport:
    use: DelegateUse
    name: str = ""
    """its library, ONNX Runtime's execution providers, or what the log calls it"""
    nodes: int | None = None
    """operators that it took"""
    nodes_of: int | None = None
    """operators that there are"""
    evidence: tuple[str, ...] = ()
    """lines of the log, or the runtime's words, that say so"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One stage of one model in one setting."""

    model: str
    stage: Stage
    threads: int | None
    batch: int
    workers: int
    load_ms: float | None
    """from the file's path to a network that can run"""
    first_ms: float | None
    """the first run, which packs weights and touches memory for the first time"""
    warmup: Spread | None
    """later runs that do not count"""
    runs: Spread
    images_per_s: float | None
    """of all workers together; None where no picture takes part"""
    peak_rss_mb: float | None
    """largest resident set of one worker, in 2^20 bytes"""
    macs: int | None
    """multiply-accumulates for one picture in convolutions and fully connected layers"""
    gflops: float | None
    """2e-9 * macs a second, all workers together; the mirror image counts as a picture"""
    peak_fraction: float | None
    """gflops over what a float32 matrix product reaches on as many threads; an integer model
    can exceed 1"""
    delegate: DelegateReport

    @property
    def setting(self) -> tuple[Stage, int | None, int, int]:
        return self.stage, self.threads, self.batch, self.workers


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Measurements of one machine on one occasion."""

    machine: str
    peak_gflops: dict[int, float]
    """by threads: a large float32 matrix product"""
    measurements: tuple[Measurement, ...]


def from_payload(payload: Any, *, name: str) -> Benchmark:
    """What `facekit benchmark --json` has written.  Raises InputError, which says what is wrong."""
    try:
        return Benchmark(
            machine=payload["machine"],
            peak_gflops={int(key): value for key, value in payload["peak_gflops"].items()},
            measurements=tuple(map(_measurement, payload["measurements"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{name} is not a result of facekit benchmark --json ({error!r}). Write it anew, or "
            "turn a log of benchmark_model into one with --parse-log."
        ) from error


def _measurement(raw: dict[str, Any]) -> Measurement:
    own = {key: raw[key] for key in Measurement.__slots__}
    delegate = raw["delegate"]
    return Measurement(
        **{
            **own,
            "stage": Stage(raw["stage"]),
            "warmup": None if raw["warmup"] is None else _spread(raw["warmup"]),
            "runs": _spread(raw["runs"]),
            "delegate": DelegateReport(
                **{
                    **delegate,
                    "use": DelegateUse(delegate["use"]),
                    "evidence": tuple(delegate["evidence"]),
                }
            ),
        }
    )


def _spread(raw: dict[str, Any]) -> Spread:
    found = Spread(**raw)
    if not (found.count > 0 and math.isfinite(found.mean_ms)):
        raise ValueError(f"a count and a mean are needed. Received: {raw}")
    return found
