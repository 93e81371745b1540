"""Benchmarks as JSON-ready dicts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from facekit.bench.compare import CaseComparison, ComparedBenchmarks
from facekit.bench.records import Benchmark, DelegateReport, Measurement, Spread


def benchmark_payload(done: Benchmark) -> dict[str, Any]:
    """`facekit.bench.records.from_payload` reads it back."""
    return {
        "machine": done.machine,
        "peak_gflops": {str(threads): value for threads, value in done.peak_gflops.items()},
        "measurements": [measurement_payload(one) for one in done.measurements],
    }


def measurement_payload(one: Measurement) -> dict[str, Any]:
    return {
        **asdict(one),
        "stage": one.stage.value,
        "delegate": _delegate_payload(one.delegate),
        "benchmark_model": tool_payload(one),
    }


def tool_payload(one: Measurement) -> dict[str, Any]:
    """The same times under the names, and in the microseconds, of benchmark_model."""
    runs = one.runs
    fields = {
        "Init": one.load_ms,
        "First inference": one.first_ms,
        "Warmup (avg)": one.warmup.mean_ms if one.warmup else None,
        "Inference (avg)": runs.mean_ms,
        **_tool_fields(runs),
    }
    return {"count": runs.count} | {
        name: round(value * 1e3, 3) for name, value in fields.items() if value is not None
    }


def comparison_payload(found: ComparedBenchmarks) -> dict[str, Any]:
    return {
        "both": [_compared(one) for one in found.both],
        "only_a": [measurement_payload(one) for one in found.only_a],
        "only_b": [measurement_payload(one) for one in found.only_b],
    }


def _compared(one: CaseComparison) -> dict[str, Any]:
    return {
        "stage": one.a.stage.value,
        "threads": one.a.threads,
        "batch": one.a.batch,
        "workers": one.a.workers,
        "model_a": one.a.model,
        "model_b": one.b.model,
        "time_ms": {"a": one.a.runs.typical_ms, "b": one.b.runs.typical_ms},
        "ratio": {
            "time": one.time,
            "load": one.load,
            "first": one.first,
            "images_per_s": one.images_per_s,
            "peak_rss": one.peak_rss,
        },
    }


def _delegate_payload(delegate: DelegateReport) -> dict[str, Any]:
    return {
        **asdict(delegate),
        "use": delegate.use.value,
        "evidence": list(delegate.evidence),
    }


def _tool_fields(runs: Spread) -> dict[str, float | None]:
    return {
        "first": runs.first_ms,
        "curr": runs.last_ms,
        "min": runs.min_ms,
        "max": runs.max_ms,
        "avg": runs.mean_ms,
        "std": runs.std_ms,
        "p5": runs.p5_ms,
        "median": runs.median_ms,
        "p95": runs.p95_ms,
    }
