"""facekit benchmark"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.config_option import config_option
from facekit.cli.options import DEFAULT_MODEL, accelerator_options, json_option
from facekit.errors import AcceleratorError, InputError, UsageError

if TYPE_CHECKING:
    from facekit.bench.records import Benchmark

ALL = "all"
STAGES = ("load", "detect", "align", "embed", "match", "verify")
_File = click.Path(path_type=Path, dir_okay=False)


class Numbers(click.ParamType[tuple[int, ...]]):
    """Positive whole numbers, separated by commas."""

    name = "N,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if not all(part.strip().isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r}: positive whole numbers needed, such as 1,2", param, ctx)
        return tuple(map(int, parts))


@click.command()
@config_option("benchmark")
@click.option(
    "--model",
    "models",
    multiple=True,
    help=f"Registry name, NAME:VARIANT, or a file with its card.  [default: {DEFAULT_MODEL}]",
)
@click.option(
    "--stage",
    "stages",
    type=click.Choice((*STAGES, ALL)),
    multiple=True,
    default=(ALL,),
    show_default=True,
    help="May be repeated.  detect, align and verify need --images.",
)
@click.option("--threads", type=Numbers(), default="1", show_default=True, help="Of a network.")
@click.option("--batch", type=Numbers(), default="1", show_default=True, help="Pictures a run.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that run at the same time.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=50, show_default=True, help="That are counted."
)
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Runs before them, after the first, that are not.",
)
@click.option("--images", help="A folder of photos, or one photo.")
@accelerator_options
@click.option(
    "--parse-log", "log", type=_File, help="Read a log of TensorFlow Lite's benchmark_model."
)
@click.option(
    "--compare", "compared", type=(_File, _File), metavar="A B", help="Two results, with ratios."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for benchmark.json and benchmark.txt.",
)
@json_option
def benchmark(
    models: tuple[str, ...],
    stages: tuple[str, ...],
    log: Path | None,
    compared: tuple[Path, Path] | None,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure each stage: time, pictures a second, memory, share of the machine's peak.

    Every setting runs in a process of its own.  A delegate that was asked for and did nothing
    is exit code 6, measured here or read from a log.

    \b
    Example: facekit benchmark --images photos/ --threads 1,2 --batch 1,8
             facekit benchmark --model a_float32.tflite --model a_int8.tflite --stage embed
             facekit benchmark --config ixrt
             facekit benchmark --parse-log board.log --json > board.json
             facekit benchmark --compare host.json board.json
    """
    from facekit.cli.render.benchmark import benchmark_text, comparison_text
    from facekit.cli.render.output import emit_json

    if log is not None and compared is not None:
        raise UsageError("--parse-log and --compare are two tasks; pass one of them.")
    if compared is not None:
        from facekit.bench.compare import compare
        from facekit.bench.payload import comparison_payload

        found = compare(*map(_read, compared))
        payload, text = comparison_payload(found), comparison_text(found)
    else:
        from facekit.bench.payload import benchmark_payload

        done = _parsed(log) if log is not None else _measured(models, stages, **options)
        payload, text = benchmark_payload(done), benchmark_text(done)
    if output is not None:
        _write(output, payload, text)
    if as_json:
        emit_json(payload)
    else:
        click.echo(text, nl=False)
    if compared is None:
        _require_delegate(done)


def _measured(models: tuple[str, ...], stages: tuple[str, ...], **options: Any) -> Benchmark:
    from facekit.bench.machine import description, is_busy
    from facekit.bench.measure import measure, measured_peaks
    from facekit.bench.plan import NEED_PHOTOS, plan
    from facekit.bench.records import Benchmark
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.render.output import note
    from facekit.cli.requests import accelerator_request
    from facekit.cli.terminal import with_progress
    from facekit.enums import Stage
    from facekit.model.registry import DETECTOR
    from facekit.model.variants import for_runtime
    from facekit.photo.sources import list_pictures

    photos = tuple(map(Path, list_pictures([options["images"]]))) if options["images"] else ()
    wanted = [Stage(name) for name in (STAGES if ALL in stages else stages)]
    if ALL in stages and not photos:
        wanted = [stage for stage in wanted if stage not in NEED_PHOTOS]
        note("detect, align and verify are left out: they need photos, --images DIR")
    tasks = plan(
        [
            ensure_installed(for_runtime(name, options["runtime"])).path
            for name in models or (DEFAULT_MODEL,)
        ],
        stages=wanted,
        threads=options["threads"],
        batches=options["batch"],
        workers=options["workers"],
        runs=options["runs"],
        warmup=options["warmup"],
        photos=photos,
        request=accelerator_request(**options),
    )
    if photos:
        ensure_installed(DETECTOR)
    if is_busy():
        note("this machine is busy with something else: times will be longer than it needs")
    measurements = tuple(with_progress(measure(tasks), length=len(tasks), label="measuring"))
    return Benchmark(
        machine=description(),
        peak_gflops=measured_peaks([count * options["workers"] for count in options["threads"]]),
        measurements=measurements,
    )


def _parsed(log: Path) -> Benchmark:
    from facekit.bench.parse_log import parse_log
    from facekit.bench.records import Benchmark

    return Benchmark(
        machine=f"log {log.name}",
        peak_gflops={},
        measurements=tuple(parse_log(_text(log), name=str(log))),
    )


def _read(path: Path) -> Benchmark:
    import json

    from facekit.bench.records import from_payload

    try:
        payload = json.loads(_text(path))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    return from_payload(payload, name=str(path))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _write(folder: Path, payload: dict[str, Any], text: str) -> None:
    import json

    from facekit.cli.render.output import SCHEMA_VERSION
    from facekit.system.files import write_atomically

    document = json.dumps({"schema_version": SCHEMA_VERSION, **payload}, indent=1, allow_nan=False)
    write_atomically(folder / "benchmark.json", f"{document}\n".encode())
    write_atomically(folder / "benchmark.txt", text.encode())


def _require_delegate(done: Benchmark) -> None:
    from facekit.bench.records import DelegateUse
    from facekit.cli.render.output import note

    unused = [one for one in done.measurements if one.delegate.use is DelegateUse.UNUSED]
    if unused:
        name = unused[0].delegate.name or "that was asked for"
        note(f"error: delegate {name} was not used: these are times of the CPU")
        sys.exit(AcceleratorError.exit_code)
