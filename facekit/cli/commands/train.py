"""facekit train"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import EnumChoice, json_option
from facekit.cli.render.output import emit_json, note
from facekit.enums import Architecture, TrainingLoss
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.train.devices import Cluster
    from facekit.train.request import TrainRequest
    from facekit.train.run import Trained

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_SHORT = {
    "arch": "architecture",
    "loss": "loss",
    "epochs": "epochs",
    "batch_size": "batch_size",
    "rate": "optimiser.rate",
    "seed": "seed",
    "precision": "precision",
    "held_out": "held_out",
}
"""options that stand for a key of the configuration"""


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Aligned crops, a folder a person: see align-dataset.",
)
@click.option("--config", "config_name", metavar="NAME|FILE",
              help="A .toml file, or one of facekit's own; see configs/train.")  # fmt: skip
@click.option("--arch", type=EnumChoice(Architecture), help="The net's graph.")
@click.option("--loss", type=EnumChoice(TrainingLoss), help="What is minimised.")
@click.option("--from", "start", metavar="MODEL",
              help="Begin with this model's weights and a new head: fine-tuning.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), help="Times that the photos are seen.")
@click.option("--batch-size", type=click.IntRange(min=2),
              help="Photos a step, over all devices.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Learning rate.")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
              help="What the net computes in.")  # fmt: skip
@click.option("--held-out", type=click.FloatRange(0, 1, max_open=True),
              help="Share of each person's photos that is kept for testing.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="The same seed, the same run.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE",
              help="Any other key of the configuration, as augment.flip=false.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run: checkpoints, curve, model.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in -o, with its own settings.")
@click.option("--validate", type=click.Path(path_type=Path, file_okay=False), metavar="LFW",
              help="Measure accuracy on LFW's View 1 in this folder.")  # fmt: skip
@click.option("--validate-every", type=click.IntRange(min=1), default=1, show_default=True,
              help="Epochs between two of these.")  # fmt: skip
@click.option("--name", help="The model's name.  [default: that of the folder -o]")
@click.option("--license", "licence", help="What may be done with the result, for its card.")
@click.option(
    "--install", metavar="NAME", help="Put the model into the store under this name, a new one."
)
@click.option("--workers-at", metavar="HOST:PORT,...",
              help="Addresses of all processes of a run, the same everywhere.")  # fmt: skip
@click.option("--worker-index", type=click.IntRange(min=0),
              help="Which of them this one is, from 0; 0 writes the files.")  # fmt: skip
@json_option
def train(
    output: Path,
    data: Path | None,
    resume: bool,
    validate: Path | None,
    validate_every: int,
    install: str | None,
    workers_at: str | None,
    worker_index: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on aligned crops, or fine-tune one that exists.

    A run that ends early, by Ctrl-C or worse, goes on with --resume as if it had not.  The result
    is OUTPUT/NAME_float32.tflite with its card, which --model of every command takes.

    \b
    Example: facekit train --data aligned/ --config small-arcface -o run/
             facekit train -o run/ --resume
             facekit train --data aligned/ --from facenet512-casia --config finetune -o tuned/
             facekit verify a.jpg b.jpg --model run/run_float32.tflite --threshold 0.5
    """
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.terminal import asked_to_stop, with_progress
    from facekit.model.installation import require_new
    from facekit.model.registry import DETECTOR

    cluster = _cluster(workers_at, worker_index)
    request = _request(output, data, resume=resume, **options)
    if install is not None:
        require_new(install)  # now rather than after hours of training
    for needed in (request.start, DETECTOR if validate else None):
        if needed is not None:
            ensure_installed(needed)
    is_chief = cluster is None or cluster.index == 0
    from facekit.system.processes import available_cores
    from facekit.train.devices import open_replicas
    from facekit.train.request import begin
    from facekit.train.run import Validation
    from facekit.train.run import train as run_training

    if not resume and is_chief:
        begin(output, request)

    def progress(items: Iterator[Any], length: int, label: str) -> Iterator[Any]:
        return with_progress(items, length=length, label=label) if is_chief else items

    with asked_to_stop() as stop:
        trained = run_training(
            request,
            output,
            replicas=open_replicas(cluster),
            validation=None
            if validate is None
            else Validation(validate, validate_every, available_cores()),
            resume=resume,
            note=note if is_chief else _quiet,
            progress=progress,
            should_stop=stop.is_set,
        )
    if trained.ended.interrupted:
        resume_line = _resume_line(output, validate, validate_every, install)
        if is_chief:
            note(
                f"stopped after step {trained.ended.step}, which is kept. Go on with: {resume_line}"
            )
            if as_json:
                emit_json({**_payload(output, trained, None), "resume": resume_line})
        raise SystemExit(130)
    installed = _installed(install, trained) if install and trained.model else None
    if as_json:
        emit_json({**_payload(output, trained, installed), "resume": None})
    elif trained.model is not None:
        click.echo(installed or trained.model.path)


def _quiet(_line: str) -> None:
    """The other processes of a run leave talking to the first one."""


def _cluster(workers_at: str | None, worker_index: int | None) -> Cluster | None:
    if (workers_at is None) != (worker_index is None):
        raise UsageError("--workers-at and --worker-index go together.")
    from facekit.train.devices import Cluster, cluster_of_environment

    if workers_at is None or worker_index is None:
        return cluster_of_environment()
    return Cluster(tuple(one.strip() for one in workers_at.split(",")), worker_index)


def _request(
    output: Path,
    data: Path | None,
    *,
    resume: bool,
    config_name: str | None,
    changes: tuple[str, ...],
    start: str | None,
    name: str | None,
    licence: str | None,
    **options: Any,
) -> TrainRequest:
    """What is asked for; of a run that goes on, what was asked for when it began."""
    from facekit.train.config_file import parse_change, read_config
    from facekit.train.request import TrainRequest, resumed

    given = {_SHORT[key]: value for key, value in options.items() if value is not None}
    given = {key: getattr(value, "value", value) for key, value in given.items()}
    if resume:
        if given or changes or config_name or start or name or licence:
            raise UsageError(
                "--resume goes on with the settings that the run began with. Leave out "
                "everything but -o, --data (where the photos have moved), --validate and workers."
            )
        return resumed(output, data=data)
    if data is None:
        raise UsageError("--data is needed: aligned crops, a folder a person; see align-dataset.")
    config = read_config(config_name, {**dict(map(parse_change, changes)), **given})
    plain = _NOT_PLAIN.sub("-", name or output.resolve().name).strip("-._") or "model"
    request = TrainRequest(data=data, config=config, name=plain, start=start)
    if licence is None:
        return request
    from dataclasses import replace

    return replace(request, licence=licence)


def _installed(name: str, trained: Trained) -> Path:
    from dataclasses import replace

    from facekit.cli.ensure import waiting
    from facekit.model.installation import install
    from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, variant_path
    from facekit.system.files import write_atomically

    assert trained.model is not None
    model = trained.model
    stem = f"{name}_{model.card.variant}"

    def copy(folder: Path) -> None:
        card = replace(model.card, name=name, file_name=f"{stem}{MODEL_SUFFIX}")
        write_atomically(folder / card.file_name, model.path.read_bytes())
        write_atomically(folder / f"{stem}{CARD_SUFFIX}", card.to_json().encode())

    install(name, copy, on_wait=waiting(name))
    return variant_path(name, model.card.variant)


def _resume_line(output: Path, validate: Path | None, every: int, install: str | None) -> str:
    """With what the run's settings do not keep, but for the workers, whom their starter knows."""
    words = ["facekit", "train", "-o", str(output), "--resume"]
    if validate is not None:
        words += ["--validate", str(validate), "--validate-every", str(every)]
    if install is not None:
        words += ["--install", install]
    return shlex.join(words)


def _payload(output: Path, trained: Trained, installed: Path | None) -> dict[str, Any]:
    ended, model = trained.ended, trained.model
    loss = ended.epoch_loss
    return {
        "output": str(output),
        "interrupted": ended.interrupted,
        "model": model and str(model.path),
        "installed": installed and str(installed),
        "sha256": model and model.card.file_sha256,
        "people": trained.people,
        "photos": trained.photos,
        "held_out_photos": trained.held_out,
        "parameters": trained.parameters,
        "steps": ended.step,
        "epoch_loss": loss if loss == loss else None,
        **ended.figures,
    }
