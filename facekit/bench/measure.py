"""Runs the cases of a plan, each in fresh processes, and computes the measurements."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path
from threading import BrokenBarrierError
from time import perf_counter
from typing import Any

from facekit.bench.machine import peak_gflops, peak_rss_bytes
from facekit.bench.plan import BenchmarkCase
from facekit.bench.records import DelegateReport, DelegateUse, Measurement, spread
from facekit.bench.stages import Prepared, prepare
from facekit.enums import Device, Flip, Stage
from facekit.errors import AcceleratorError, FacekitError, MissingExtraError
from facekit.model.inspect import inspect_model
from facekit.model.store import find
from facekit.runtime.delegates import AcceleratorRequest
from facekit.system.processes import Crash, map_processes

_LOADING_LIMIT_S = 600  # a board's NPU may compile the graph for minutes


@dataclass(frozen=True, slots=True)
class _Sample:
    """The measurements of one worker."""

    load_ms: float
    first_ms: float
    warmup_ms: list[float]
    runs_ms: list[float]
    images: int
    delegate: DelegateReport
    peak_rss_bytes: int


def measure(cases: Sequence[BenchmarkCase]) -> Iterator[Measurement]:
    """Yields one measurement per case, in order.  Raises FacekitError if a case fails."""
    for case in cases:
        yield _measured(case)


def _measured(case: BenchmarkCase) -> Measurement:
    start_together = multiprocessing.get_context("spawn").Barrier(case.workers)
    # The barrier travels with the function, at a process's start: pipes carry none.
    make = _MakeSampler(start_together)
    samples: list[_Sample] = []
    failures: list[FacekitError] = []
    for result in map_processes(make, repeat(case, case.workers), workers=case.workers):
        if isinstance(result, Crash):
            raise FacekitError(
                f"The process that measured {case.stage.value} of {case.model} ended with exit "
                f"code {result.exit_code}."
            )
        if isinstance(result, FacekitError):
            failures.append(result)
        elif result is not None:
            samples.append(result)
    if failures:
        raise failures[0]
    return _summary(case, samples)


@dataclass(frozen=True, slots=True)
class _MakeSampler:
    barrier: Any

    def __call__(self) -> Callable[[BenchmarkCase], _Sample | FacekitError | None]:
        def sample(case: BenchmarkCase) -> _Sample | FacekitError | None:
            try:
                return _sample(case, self.barrier)
            except FacekitError as error:
                self.barrier.abort()
                return error
            except BrokenBarrierError:  # another worker has failed and reports the error
                return None

        return sample


def _sample(case: BenchmarkCase, barrier: Any) -> _Sample:
    prepared = prepare(case)
    first_ms = _run(prepared, 1)[0]
    warmup_ms = _run(prepared, case.warmup)
    barrier.wait(_LOADING_LIMIT_S)
    runs_ms = _run(prepared, case.runs)
    return _Sample(
        load_ms=prepared.load_ms,
        first_ms=first_ms,
        warmup_ms=warmup_ms,
        runs_ms=runs_ms,
        images=prepared.images,
        delegate=_delegate(case.request, prepared),
        peak_rss_bytes=peak_rss_bytes(),
    )


def _run(prepared: Prepared, times: int) -> list[float]:
    milliseconds = []
    for _ in range(times):
        start = perf_counter()
        prepared.run()
        milliseconds.append((perf_counter() - start) * 1e3)
    return milliseconds


def _summary(case: BenchmarkCase, samples: list[_Sample]) -> Measurement:
    installed = find(str(case.model))
    first = samples[0]
    # Workers run at the same time: their photos per second are added.
    photos_per_s = sum(one.images * len(one.runs_ms) / (sum(one.runs_ms) / 1e3) for one in samples)
    macs = _macs(installed.path) if case.stage is Stage.EMBED else None
    passes = 1 if installed.card.flip is Flip.NONE else 2  # the mirror image is a second pass
    gflops = None if macs is None else 2e-9 * macs * passes * photos_per_s
    peak = None if gflops is None else _peak(case.threads * case.workers)
    return Measurement(
        model=installed.card.full_name,
        model_sha256=installed.card.file_sha256,
        stage=case.stage,
        threads=case.threads,
        batch=case.batch,
        workers=case.workers,
        load_ms=max(one.load_ms for one in samples),
        first_ms=max(one.first_ms for one in samples),
        warmup=spread([ms for one in samples for ms in one.warmup_ms]) if case.warmup else None,
        runs=spread([ms for one in samples for ms in one.runs_ms]),
        photos_per_s=photos_per_s or None,
        peak_rss_bytes=max(one.peak_rss_bytes for one in samples),
        macs=macs,
        gflops=gflops,
        peak_fraction=gflops / peak if gflops is not None and peak is not None else None,
        delegate=first.delegate,
    )


_peak = cache(peak_gflops)


def measured_peaks(threads: Sequence[int]) -> dict[int, float]:
    """Returns the machine's GFLOP/s by number of threads, measured once per process."""
    return {count: _peak(count) for count in sorted(set(threads))}


@cache
def _macs(model: Path) -> int | None:
    """Returns the multiply-accumulates; None if no installed package can read the operators."""
    try:
        macs = inspect_model(model).macs
    except (AcceleratorError, MissingExtraError):
        return None
    return macs.weighted if macs else None


def _delegate(request: AcceleratorRequest, prepared: Prepared) -> DelegateReport:
    """Describes the delegate; for ONNX Runtime always its execution providers."""
    opened = prepared.opened
    if opened is None or not request.requests_accelerator:
        return DelegateReport(DelegateUse.NOT_ASKED, ", ".join(opened.providers) if opened else "")
    if opened.fallback_reason:
        device = (request.device or Device.CPU).value
        asked = ", ".join(request.providers) or str(request.delegate or device)
        return DelegateReport(DelegateUse.UNUSED, asked, evidence=(opened.fallback_reason,))
    return DelegateReport(
        DelegateUse.USED,
        ", ".join(opened.providers) or str(opened.delegate),
        evidence=(f"{opened.delegated_nodes} parts of the graph taken",),
    )
