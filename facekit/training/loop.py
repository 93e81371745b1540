"""Runs the remaining steps of a run, until the end or Ctrl-C.

Checkpoints and the curve are written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.reporter import SILENT, Reporter
from facekit.training import checkpoint
from facekit.training.config import TrainConfig
from facekit.training.curve import CurveLog
from facekit.training.dataset.batches import Photos
from facekit.training.dataset.epoch import epoch_plan, steps_per_epoch
from facekit.training.request import CHECKPOINTS_NAME
from facekit.training.step import Trainer


@dataclass(frozen=True, slots=True, eq=False)
class LoopCallbacks:
    """The functions that the loop calls."""

    should_stop: Callable[[], bool]
    """Called before each step; True ends the run after this step."""
    evaluate: Callable[[int], dict[str, float]]
    """Called after each epoch with the epoch's number, from 1; returns figures for the curve."""


@dataclass(frozen=True, slots=True)
class LoopResult:
    """The state in which the loop stopped."""

    step: int
    """Number of steps done, including those before a resume."""
    interrupted: bool
    epoch_loss: float
    """Mean loss over the steps of the last epoch that this call finished; NaN if there is none."""
    figures: dict[str, float]
    """Figures of the last evaluation, by name."""


def run_loop(
    trainer: Trainer,
    photos: Photos,
    config: TrainConfig,
    folder: Path,
    callbacks: LoopCallbacks,
    *,
    reporter: Reporter = SILENT,
    fine_tunes: bool,
    done: int,
) -> LoopResult:
    """Runs the steps after the first `done` steps.  Only the chief process writes files.

    Raises ModelBuildError if the loss is no longer finite, ImageError if a crop cannot be read, and
    StorageError if a file cannot be written.
    """
    per_epoch = steps_per_epoch(photos.photos, config)
    total = per_epoch * config.epochs
    chief = trainer.replicas.is_chief
    log = CurveLog(folder)
    # The mean loss of an interrupted epoch includes the steps before the interruption.
    seen = [
        line
        for line in (log.resume_at(done) if chief else [])
        if line["epoch"] == done // per_epoch + 1 and "loss" in line
    ]
    share = trainer.replicas.share(config.batch_size)
    losses = [line["loss"] for line in seen]
    accuracies = [line.get("accuracy", float("nan")) for line in seen]
    epoch_loss, figures = float("nan"), dict[str, float]()
    started, first = time.perf_counter(), done
    batches: Iterator[Any] = iter(())
    for step in reporter.steps(range(done, total), length=total - done, label="training"):
        epoch, within = divmod(step, per_epoch)
        if within == 0 or step == done:
            plan = epoch_plan(photos.photos, config, epoch)
            batches = photos.batches(
                plan, config.augment, seed=config.seed, epoch=epoch, first_step=within, share=share
            )
            if within == 0:
                losses.clear()
                accuracies.clear()
            started, first = time.perf_counter(), step
        rate = config.optimizer.rate_at(step, steps_per_epoch=per_epoch, epochs=config.epochs)
        result = trainer.step(
            next(batches),
            step,
            rate=rate,
            net_rate_share=_net_share(config, epoch, fine_tunes=fine_tunes),
            stop=callbacks.should_stop(),
        )
        losses.append(result.loss)
        accuracies.append(result.accuracy)
        log.add(step + 1, epoch + 1, loss=result.loss, accuracy=result.accuracy, rate=rate)
        ends_epoch = within + 1 == per_epoch
        if ends_epoch:
            epoch_loss = sum(losses) / len(losses)
            if chief:
                photos_seen = (step + 1 - first) * config.batch_size
                speed = photos_seen / (time.perf_counter() - started)
                figures = callbacks.evaluate(epoch + 1)
                log.add(step + 1, epoch + 1, epoch_loss=epoch_loss, **figures)
                told = {"loss": epoch_loss, "accuracy": sum(accuracies) / len(accuracies)}
                reporter.note(_line(epoch + 1, config.epochs, {**told, **figures}, speed))
        every = config.checkpoint_steps
        due = ends_epoch or (every and (step + 1) % every == 0)
        if chief and (due or result.asked_to_stop):
            log.flush()  # first: resuming cuts off curve lines after the checkpoint's step
            checkpoint.save(
                folder / CHECKPOINTS_NAME,
                trainer.variables(),
                step=step + 1,
                keep=config.keep_checkpoints,
            )
        if result.asked_to_stop and step + 1 < total:
            return LoopResult(step + 1, True, epoch_loss, figures)
    return LoopResult(total, False, epoch_loss, figures)


def _net_share(config: TrainConfig, epoch: int, *, fine_tunes: bool) -> float:
    """Returns the net's learning rate as a share of the head's, at least 0."""
    if not fine_tunes:
        return 1.0
    return 0.0 if epoch < config.finetune.head_epochs else config.finetune.net_rate_share


def _line(epoch: int, epochs: int, figures: dict[str, float], photos_per_s: float) -> str:
    parts = [
        f"{name.replace('_', ' ')} {value:.4f}" if "loss" in name else
        f"{name.replace('_', ' ')} {value:.1%}"
        for name, value in figures.items()
        if value == value  # not NaN
    ]  # fmt: skip
    return f"epoch {epoch} of {epochs}: {', '.join(parts)}, {photos_per_s:.1f} photos/s"
