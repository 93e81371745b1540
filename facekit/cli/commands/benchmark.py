"""facekit benchmark"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.config_option import config_option
from facekit.cli.device_options import accelerator_options
from facekit.cli.options import (
    DEFAULT_MODEL,
    MOST_THREADS,
    detector_option,
    json_option,
    offline_option,
    photos_argument,
)
from facekit.cli.output_options import force_option, output_folder
from facekit.cli.render.output import emit_json, exit_with, note_error
from facekit.cli.types import FILE, Numbers, Whole, Words
from facekit.enums import Stage
from facekit.errors import AcceleratorError, UsageError

if TYPE_CHECKING:
    from facekit.bench.compare import ComparedBenchmarks
    from facekit.bench.records import Benchmark

ALL = "all"


@click.command(cls=Command, basic="model stage threads batch runs output json")
@config_option("benchmark")
@photos_argument(required=False)
@click.option(
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    show_default=DEFAULT_MODEL,
    help="Registry name, NAME:VARIANT, or a .tflite or .onnx file with its card beside it; "
    "may be repeated.",
)
@click.option(
    "--stage",
    "stages",
    type=Words((*(stage.value for stage in Stage), ALL)),
    multiple=True,
    default=(ALL,),
    help="May be repeated.  detect, align and verify need photos.",
)
@click.option(
    "--threads", type=Numbers(MOST_THREADS), default="1", help="Threads a network may use."
)
@click.option("--batch", type=Numbers(4096), default="1", help="Photos in a run.")
@click.option(
    "--workers",
    metavar="N",
    type=Whole(1, MOST_THREADS),
    default=1,
    help="Worker processes that run at the same time.",
)
@click.option(
    "--runs",
    metavar="N",
    type=Whole(1),
    default=50,
    help="Runs that are counted.",
)
@click.option(
    "--warmup",
    metavar="N",
    type=Whole(),
    default=5,
    help="Runs before those of --runs, which are not counted.",
)
@detector_option
@accelerator_options
@offline_option
@click.option("--parse-log", type=FILE, help="Read a log of TensorFlow Lite's benchmark_model.")
@click.option("--compare", type=(FILE, FILE), metavar="FILE FILE", help="Two results, with ratios.")
@output_folder("Folder for benchmark.json and benchmark.txt.")
@force_option("these two files")
@json_option
def benchmark(
    models: tuple[str, ...],
    stages: tuple[str, ...],
    parse_log: Path | None,
    compare: tuple[Path, Path] | None,
    output: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure the time and memory of each stage.

    Also photos a second, and the share of the machine's peak.

    Every setting runs in a process of its own.  A delegate that was asked for and did nothing
    is exit code 6, measured here or read from a log.

    \b
    Example: facekit benchmark photos/ --threads 1,2 --batch 1,8
             facekit benchmark --model a_float32.tflite --model a_int8.tflite --stage embed
             facekit benchmark --config ixrt
             facekit benchmark --parse-log board.log --json > board.json
             facekit benchmark --compare host.json board.json
    """
    from facekit.cli.render.benchmark import benchmark_text, comparison_text
    from facekit.tasks import benchmark as task

    if parse_log is not None and compare is not None:
        raise UsageError("--parse-log and --compare are two tasks; pass one of them.")
    if output is not None:
        task.require_free_results(output, force=force)
    found: Benchmark | ComparedBenchmarks
    unused = None
    if compare is not None:
        found = task.compare(*compare)
        text = comparison_text(found)
    else:
        found = (
            task.read_log(parse_log)
            if parse_log is not None
            else _measured(models, stages, **options)
        )
        text, unused = benchmark_text(found), found.unused_delegate
    if output is not None:
        task.write_result(output, found, text=text)
    if as_json:
        emit_json(task.result_dict(found, output))
    else:
        click.echo(text, nl=False)
    if unused is not None:
        error = AcceleratorError(f"delegate {unused} was not used: these are times of the CPU")
        note_error(str(error))
        exit_with([error])


def _measured(models: tuple[str, ...], stages: tuple[str, ...], **options: Any) -> Benchmark:
    from facekit.cli.requests import accelerator_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks.benchmark import benchmark as measure

    return measure(
        models,
        stages=None if ALL in stages else [Stage(name) for name in stages],
        threads=options["threads"],
        batch=options["batch"],
        workers=options["workers"],
        runs=options["runs"],
        warmup=options["warmup"],
        photos=options["photos"],
        runtime=options["runtime"],
        accelerator=accelerator_request(**options),
        detector=options["detector"],
        reporter=TerminalReporter(),
    )
