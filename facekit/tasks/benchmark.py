"""Reports how fast models are: measures them, reads a log, or compares two results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facekit.bench.compare import ComparedBenchmarks
from facekit.bench.compare import compare as side_by_side
from facekit.bench.machine import description, is_busy
from facekit.bench.measure import measure, measured_peaks
from facekit.bench.parse_log import parse_log
from facekit.bench.plan import NEED_PHOTOS, plan
from facekit.bench.records import SCHEMA_VERSION, Benchmark
from facekit.enums import Runtime, Stage
from facekit.errors import InputError
from facekit.model.defaults import model_or_default
from facekit.model.variants import for_runtime
from facekit.photo.sources import list_pictures
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest
from facekit.system.files import require_free, write_atomically
from facekit.system.inputs import InputKind, parse_json, read_input, reading
from facekit.tasks.build import ensure_installed
from facekit.tasks.open_pipeline import ensure_detector

_LOG = InputKind("the log of benchmark_model", InputError, max_bytes=100_000_000)
_RESULT = InputKind("a result of facekit benchmark", InputError, max_bytes=100_000_000)
JSON_NAME, TEXT_NAME = "benchmark.json", "benchmark.txt"


def benchmark(
    models: Sequence[str] = (),
    *,
    stages: Sequence[Stage] | None = None,
    threads: Sequence[int] = (1,),
    batch: Sequence[int] = (1,),
    workers: int = 1,
    runs: int = 50,
    warmup: int = 5,
    photos: Sequence[str] = (),
    runtime: Runtime | None = None,
    accelerator: AcceleratorRequest | None = None,
    detector: str | None = None,
    reporter: Reporter = SILENT,
) -> Benchmark:
    """Times each stage of each model in each setting, each in a process of its own.

    models: names or files as for --model; None means the default model.  stages: None means all
    stages, or without photos those that need none.  threads: threads of a network.  batch: photos
    per run.  workers: processes that run at the same time.  runs: runs that count, after `warmup`
    runs that do not count.  runtime: None means the runtime that each file is for.  accelerator:
    None means the CPU.
    photos: photos and folders of photos.  detector: name or file; None means the one that each card
    names.
    Raises UsageError if a stage needs photos and there are none, ModelError, or AcceleratorError.
    """
    files = tuple(map(Path, list_pictures(photos))) if photos else ()
    if stages is None:
        stages = [stage for stage in Stage if photos or stage not in NEED_PHOTOS]
        if not photos:
            reporter.note("detect, align and verify are left out: they need photos (PHOTO...)")
    installed = [
        ensure_installed(for_runtime(model_or_default(name), runtime), reporter=reporter)
        for name in models or (None,)
    ]
    cases = plan(
        [model.path for model in installed],
        stages=stages,
        threads=threads,
        batches=batch,
        workers=workers,
        runs=runs,
        warmup=warmup,
        photos=files,
        request=accelerator or AcceleratorRequest(),
        detector=detector,
    )
    for name in {detector or model.card.detector for model in installed} if photos else ():
        ensure_detector(name, reporter=reporter)
    if is_busy():
        reporter.note("this machine is busy: times will be longer than on an idle one")
    return Benchmark(
        measurements=tuple(reporter.steps(measure(cases), length=len(cases), label="measuring")),
        machine=description(),
        peak_gflops=measured_peaks([count * workers for count in threads]),
    )


def read_log(log: Path) -> Benchmark:
    """Reads the output of TensorFlow Lite's benchmark_model.

    Raises InputError if it contains no times.
    """
    text = read_input(log, _LOG).decode(errors="replace")
    return Benchmark(
        machine=f"log {log.name}",
        peak_gflops={},
        measurements=tuple(parse_log(text, name=str(log))),
    )


def read_result(path: Path) -> Benchmark:
    """Reads a file that `facekit benchmark --json` wrote.  Raises InputError for any other
    content."""
    with reading(_RESULT, path):
        return Benchmark.from_dict(parse_json(read_input(path, _RESULT)))


def compare(a: Path, b: Path) -> ComparedBenchmarks:
    """Compares two results by ratios, b over a.  Raises the InputError of `read_result`."""
    return side_by_side(read_result(a), read_result(b))


def require_free_results(folder: Path, *, force: bool) -> None:
    """Raises UsageError if the folder contains an earlier result and `force` is False."""
    require_free(folder / JSON_NAME, folder / TEXT_NAME, force=force)


def result_dict(done: Benchmark | ComparedBenchmarks, output: Path | None) -> dict[str, Any]:
    """Returns a result as plain values for JSON.

    `output`: the folder that the result is written to, if any.
    """
    return {"output": output and str(output), **done.to_dict()}


def write_result(folder: Path, done: Benchmark | ComparedBenchmarks, *, text: str) -> None:
    """Writes benchmark.json, and `text` for people as benchmark.txt.

    Raises StorageError if a file cannot be written.
    """
    whole = {"schema_version": SCHEMA_VERSION, **result_dict(done, folder)}
    document = json.dumps(whole, indent=1, allow_nan=False)
    write_atomically(folder / JSON_NAME, f"{document}\n".encode())
    write_atomically(folder / TEXT_NAME, text.encode())
