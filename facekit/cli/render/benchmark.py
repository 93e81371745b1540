"""Benchmarks as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facekit.cli.render.table import Column, labeled, number, table, wrapped
from facekit.enums import Stage

if TYPE_CHECKING:
    from facekit.bench.compare import ComparedBenchmarks
    from facekit.bench.records import Benchmark, Measurement

_NONE = "-"
_SETTING = (Column("STAGE"), number("THREADS"), number("BATCH"), number("WORKERS"))
_TIMES = tuple(map(number, ("LOAD", "FIRST", "MIN", "MEDIAN", "P95", "PHOTOS/S", "MB")))
_RATIOS = tuple(map(number, ("A MS", "B MS", "TIME", "LOAD", "FIRST", "PHOTOS/S", "MB")))


def benchmark_text(done: Benchmark) -> str:
    """One table a model; times in milliseconds."""
    lines = [f"machine: {done.machine}"]
    lines += [
        f"float32 matrix product, {threads} thread{'s' * (threads > 1)}: {gflops:.0f} GFLOP/s"
        for threads, gflops in done.peak_gflops.items()
    ]
    for model in dict.fromkeys(one.model for one in done.measurements):
        of_model = [one for one in done.measurements if one.model == model]
        macs = next((one.macs for one in of_model if one.macs), None)
        lines += ["", f"{model}{f', {macs:,} MACs' if macs else ''}; milliseconds"]
        lines += table((*_SETTING, *_TIMES), map(_row, of_model))
        lines += [part for one in of_model for text in _notes(one) for part in _wrapped(text)]
    return "\n".join(lines) + "\n"


def comparison_text(found: ComparedBenchmarks) -> str:
    """A table for each pair of models.  Ratios are b / a: of times below 1 where b is faster."""
    lines: list[str] = []
    for models in dict.fromkeys((one.a.model, one.b.model) for one in found.both):
        rows = [
            (
                *_setting(one.a),
                _ms(one.a.runs.typical_ms),
                _ms(one.b.runs.typical_ms),
                *map(_ratio, (one.time, one.load, one.first, one.photos_per_s, one.peak_rss)),
            )
            for one in found.both
            if (one.a.model, one.b.model) == models
        ]
        lines += labeled([("a", models[0]), ("b", models[1])])
        lines += ["from TIME on: b / a", *table((*_SETTING, *_RATIOS), rows), ""]
    for side, alone in (("a", found.only_a), ("b", found.only_b)):
        lines += [f"only in {side}: {one.model}, {' '.join(_setting(one))}" for one in alone]
    return "\n".join(lines) + "\n"


def _row(one: Measurement) -> tuple[str, ...]:
    runs = one.runs
    median = runs.mean_ms if runs.median_ms is None else runs.median_ms
    times = (one.load_ms, one.first_ms, runs.min_ms, median, runs.p95_ms)
    rate = _NONE if one.photos_per_s is None else f"{one.photos_per_s:.1f}"
    memory = _NONE if one.peak_rss_bytes is None else f"{one.peak_rss_bytes / (1 << 20):.0f}"
    return (*_setting(one), *map(_ms, times), rate, memory)


def _notes(one: Measurement) -> list[str]:
    """What has no column: throughput against the peak, the delegate, benchmark_model's names."""
    setting = ", ".join(
        f"{count} {name}"
        for name, count in (("threads", one.threads), ("batch", one.batch))
        if count is not None
    )
    notes = []
    if one.gflops is not None and one.peak_fraction is not None:
        notes.append(
            f"{setting}: {one.gflops:.1f} GFLOP/s, {one.peak_fraction:.0%} of the matrix product"
        )
    if one.delegate.was_asked_for:
        taken, count = one.delegate.delegated_operator_count, one.delegate.operator_count
        of = "" if taken is None else f", {taken} nodes"
        of += "" if count is None else f" of {count}"
        notes.append(f"{setting}: delegate {one.delegate.name} {one.delegate.use.value}{of}")
        notes += [f"  {line}" for line in one.delegate.evidence]
    elif one.delegate.name:
        notes.append(f"{setting}: {one.delegate.name}")
    if one.stage is Stage.EMBED:
        tool = one.tool_times()
        named = [
            f"{name}: {tool[name]:.6g}"
            for name in ("Init", "First inference", "Warmup (avg)", "Inference (avg)")
            if tool[name] is not None
        ]
        notes.append(f"{setting}: Inference timings in us: {', '.join(named)}")
    return notes


def _setting(one: Measurement) -> tuple[str, str, str, str]:
    threads = _NONE if one.threads is None else str(one.threads)
    return one.stage.value, threads, str(one.batch), str(one.workers)


def _ms(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _wrapped(note: str) -> list[str]:
    return wrapped(note, others="  ")


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"
