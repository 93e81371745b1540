"""facekit train"""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.command import Command
from facekit.cli.options import (
    EnumChoice,
    json_option,
    offline_option,
)
from facekit.cli.output_options import force_option, install_option, output_folder
from facekit.cli.render.output import emit_json, note
from facekit.cli.types import FOLDER, Real, Whole, Words
from facekit.enums import Architecture, TrainingLoss
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.tasks.train import NewRun

_SHORT = {
    "architecture": "architecture",
    "loss": "loss",
    "epochs": "epochs",
    "batch_size": "batch_size",
    "rate": "optimizer.rate",
    "seed": "seed",
    "precision": "precision",
    "held_out": "held_out",
}
"""options that stand for a key of the configuration"""


@click.command(cls=Command, basic="data config start-from output resume validate-on install json")
@click.option(
    "--data",
    type=FOLDER,
    help="Folder of aligned crops, a folder a person: see align-dataset.",
)
@click.option(
    "--config",
    metavar="CONFIG",
    help="A .toml file, or one of facekit's own; see facekit config list.",
)
@click.option("--architecture", type=EnumChoice(Architecture), help="The network that is trained.")
@click.option("--loss", type=EnumChoice(TrainingLoss), help="What is minimized.")
@click.option(
    "--start-from", metavar="MODEL", help="Begin with these weights and a new head: fine-tuning."
)
@click.option("--epochs", metavar="N", type=Whole(1), help="Times that the photos are seen.")
@click.option(
    "--batch-size",
    metavar="N",
    type=Whole(2),
    help="Photos in a step, over all devices.",
)
@click.option("--rate", metavar="RATE", type=Real(0, min_open=True), help="Learning rate.")
@click.option(
    "--precision",
    type=Words(["float32", "mixed_bfloat16", "mixed_float16"]),
    help="The kind of numbers that the network computes in.",
)
@click.option(
    "--held-out",
    metavar="SHARE",
    type=Real(0, 1, max_open=True),
    help="Share of each person's photos that is kept for testing.",
)
@click.option(
    "--seed",
    metavar="N",
    type=Whole(),
    help="Seed of the random choices: the same seed, the same run.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other key of the configuration, as augment.flip=false.",
)
@output_folder("Folder of the run: checkpoints, curve, model.", required=True)
@click.option("--resume", is_flag=True, help="Go on with the run in -o, with its own settings.")
@click.option("--validate-on", type=FOLDER, help="Measure accuracy on LFW's View 1 in this folder.")
@click.option(
    "--validate-every",
    metavar="N",
    type=Whole(1),
    default=1,
    help="Epochs between two of these.",
)
@click.option("--license", metavar="TEXT", help="What may be done with the model, for its card.")
@install_option
@force_option("a run in -o, and a model of --install's name")
@click.option(
    "--workers-at",
    metavar="ADDRESS,...",
    help="Addresses of all processes of a run, the same everywhere.",
)
@click.option(
    "--worker-index",
    metavar="N",
    type=Whole(),
    help="Which of them this one is, from 0; 0 writes the files.",
)
@offline_option
@json_option
def train(
    output: Path,
    data: Path | None,
    resume: bool,
    validate_on: Path | None,
    validate_every: int,
    install: str | None,
    force: bool,
    workers_at: str | None,
    worker_index: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model, or fine-tune one.

    A run that ends early, by Ctrl-C or worse, goes on with --resume as if it had not.  The result
    is OUTPUT/NAME_float32.tflite with its card, which --model of every command takes.

    \b
    Example: facekit train --data aligned/ --config small-arcface -o run/
             facekit train -o run/ --resume
             facekit train --data aligned/ --start-from facenet512-casia --config finetune -o tuned/
             facekit train --data aligned/ --start-from 20180402-114759-vggface2.pt -o tuned/
             facekit verify a.jpg b.jpg --model run/run_float32.tflite --threshold 0.5
    """
    from facekit.cli.terminal import TerminalReporter, asked_to_stop
    from facekit.tasks.train import train as run_training

    with asked_to_stop(signal.SIGINT) as stop:
        done = run_training(
            _new_run(data, resume=resume, **options),
            output,
            data=data,
            validate_on=validate_on,
            validate_every=validate_every,
            workers_at=None
            if workers_at is None
            else [one.strip() for one in workers_at.split(",")],
            worker_index=worker_index,
            install=install,
            force=force,
            should_stop=stop.is_set,
            reporter=TerminalReporter(),
        )
    if done.interrupted:
        resume_line = _resume_line(output, validate_on, validate_every, install)
        if done.is_chief:
            note(
                f"stopped after step {done.trained.loop.step}, which is kept. Go on with: "
                f"{resume_line}"
            )
            if as_json:
                emit_json({**done.to_dict(), "resume": resume_line})
        raise SystemExit(130)
    if as_json:
        emit_json({**done.to_dict(), "resume": None})
    elif done.model is not None:
        click.echo(done.installed or done.model)


def _new_run(
    data: Path | None,
    *,
    resume: bool,
    config: str | None,
    settings: tuple[str, ...],
    start_from: str | None,
    license: str | None,
    **options: Any,
) -> NewRun | None:
    """What is asked for; None for a run that goes on.  Raises UsageError."""
    from facekit.tasks.train import NewRun

    given = {_SHORT[key]: value for key, value in options.items() if value is not None}
    if resume:
        if given or settings or config or start_from or license:
            raise UsageError(
                "--resume goes on with the settings that the run began with. Leave out "
                "everything but -o, --data (where the photos have moved), --validate-on and "
                "workers."
            )
        return None
    if data is None:
        raise UsageError("--data is needed: aligned crops, a folder a person; see align-dataset.")
    return NewRun(
        data=data,
        config=config,
        settings=settings,
        values={key: getattr(value, "value", value) for key, value in given.items()},
        start_from=start_from,
        license=license,
    )


def _resume_line(output: Path, validate_on: Path | None, every: int, install: str | None) -> str:
    """With what the run's settings do not keep, but for the workers, whom their starter knows."""
    words = ["facekit", "train", "-o", str(output), "--resume"]
    if validate_on is not None:
        words += ["--validate-on", str(validate_on), "--validate-every", str(every)]
    if install is not None:
        words += ["--install", install]
    return shlex.join(words)
