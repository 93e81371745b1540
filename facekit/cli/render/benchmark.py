"""Benchmarks as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facekit.enums import Stage

if TYPE_CHECKING:
    from facekit.bench.compare import ComparedBenchmarks
    from facekit.bench.records import Benchmark, Measurement

_NONE = "-"
_HEADINGS = (
    *("stage", "threads", "batch", "workers", "load", "first", "min", "median", "p95", "max"),
    *("images/s", "MB"),
)


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
        lines += _table([_HEADINGS, *map(_row, of_model)])
        lines += [line for one in of_model for line in _notes(one)]
    return "\n".join(lines) + "\n"


def comparison_text(found: ComparedBenchmarks) -> str:
    """Ratios are b / a: a time below 1 says that b is faster."""
    headings = ("stage", "threads", "batch", "workers", "a ms", "b ms")
    ratios = ("time b/a", "load", "first", "images/s", "MB")
    rows = [
        (
            *_setting(one.a),
            _ms(one.a.runs.typical_ms),
            _ms(one.b.runs.typical_ms),
            *map(_ratio, (one.time, one.load, one.first, one.photos_per_s, one.peak_rss)),
            one.a.model if one.a.model == one.b.model else f"{one.a.model} / {one.b.model}",
        )
        for one in found.both
    ]
    lines = _table([(*headings, *ratios, "model"), *rows], left=(0, 11))
    for side, alone in (("a", found.only_a), ("b", found.only_b)):
        lines += [f"only in {side}: {one.model}, {' '.join(_setting(one))}" for one in alone]
    return "\n".join(lines) + "\n"


def _row(one: Measurement) -> tuple[str, ...]:
    runs = one.runs
    median = runs.mean_ms if runs.median_ms is None else runs.median_ms
    times = (one.load_ms, one.first_ms, runs.min_ms, median, runs.p95_ms, runs.max_ms)
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
            if name in tool
        ]
        notes.append(f"{setting}: Inference timings in us: {', '.join(named)}")
    return notes


def _setting(one: Measurement) -> tuple[str, str, str, str]:
    threads = _NONE if one.threads is None else str(one.threads)
    return one.stage.value, threads, str(one.batch), str(one.workers)


def _ms(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]], *, left: tuple[int, ...] = (0,)) -> list[str]:
    """Columns as wide as their widest cell; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
