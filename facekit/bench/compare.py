"""Compares two benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from facekit.bench.records import Benchmark, Measurement


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One setting in both benchmarks.  A ratio is b's value / a's, None if a value is missing."""

    a: Measurement
    b: Measurement
    time: float
    """Ratio of the medians, or of the means if one has no median; below 1 if b is faster."""
    load: float | None
    first: float | None
    photos_per_s: float | None
    peak_rss: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "stage": self.a.stage.value,
            "threads": self.a.threads,
            "batch": self.a.batch,
            "workers": self.a.workers,
            "model_a": self.a.model,
            "model_b": self.b.model,
            "time_ms": {"a": self.a.runs.typical_ms, "b": self.b.runs.typical_ms},
            "ratio": {
                "time": self.time,
                "load": self.load,
                "first": self.first,
                "photos_per_s": self.photos_per_s,
                "peak_rss": self.peak_rss,
            },
        }


@dataclass(frozen=True, slots=True)
class ComparedBenchmarks:
    both: tuple[CaseComparison, ...]
    only_a: tuple[Measurement, ...]
    only_b: tuple[Measurement, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "both": [one.to_dict() for one in self.both],
            "only_a": [one.to_dict() for one in self.only_a],
            "only_b": [one.to_dict() for one in self.only_b],
        }


def compare(a: Benchmark, b: Benchmark) -> ComparedBenchmarks:
    """Pairs measurements of the same model and setting.

    Remaining measurements are paired if their setting occurs exactly once in each benchmark, so
    that two machines or two variants of a model can be compared.
    """
    left_a, left_b = list(a.measurements), list(b.measurements)
    pairs = _paired(left_a, left_b, lambda one: (one.model, one.setting))
    pairs += _paired(left_a, left_b, lambda one: one.setting)
    order = {id(one): index for index, one in enumerate(a.measurements)}
    pairs.sort(key=lambda pair: order[id(pair[0])])
    return ComparedBenchmarks(
        both=tuple(_compared(*pair) for pair in pairs),
        only_a=tuple(left_a),
        only_b=tuple(left_b),
    )


def _paired(
    left_a: list[Measurement], left_b: list[Measurement], key: Callable[[Measurement], Hashable]
) -> list[tuple[Measurement, Measurement]]:
    """Removes and returns the pairs whose key occurs once in each list."""
    pairs = []
    for one in list(left_a):
        same_a = [other for other in left_a if key(other) == key(one)]
        same_b = [other for other in left_b if key(other) == key(one)]
        if len(same_a) == len(same_b) == 1:
            pairs.append((one, same_b[0]))
            left_a.remove(one)
            left_b.remove(same_b[0])
    return pairs


def _compared(a: Measurement, b: Measurement) -> CaseComparison:
    medians = a.runs.median_ms, b.runs.median_ms
    time = _ratio(*medians) if None not in medians else None
    return CaseComparison(
        a=a,
        b=b,
        time=b.runs.mean_ms / a.runs.mean_ms if time is None else time,
        load=_ratio(a.load_ms, b.load_ms),
        first=_ratio(a.first_ms, b.first_ms),
        photos_per_s=_ratio(a.photos_per_s, b.photos_per_s),
        peak_rss=_ratio(a.peak_rss_bytes, b.peak_rss_bytes),
    )


def _ratio(a: float | None, b: float | None) -> float | None:
    return b / a if a and b is not None else None
