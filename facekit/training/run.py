"""Trains a network on a folder of aligned crops and writes the model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facekit.enums import Architecture
from facekit.graph.nets.designs import DESIGNS, Design
from facekit.model.card import Source
from facekit.model.store import InstalledModel
from facekit.photo.sources import list_people
from facekit.reporter import SILENT, Reporter
from facekit.training import checkpoint
from facekit.training.backend import keras, tf
from facekit.training.dataset.aligned import aligned_detector, inner_crop
from facekit.training.dataset.batches import Photos
from facekit.training.dataset.epoch import PhotoSet, photos_sha256, split, steps_per_epoch
from facekit.training.devices import Replicas
from facekit.training.heads import CosineHead
from facekit.training.keras_graph import to_keras
from facekit.training.loop import LoopCallbacks, LoopResult, run_loop
from facekit.training.request import CHECKPOINTS_NAME, TrainRequest, Validation, require_same_data
from facekit.training.result import Described, write_model
from facekit.training.start import Start, start_of
from facekit.training.step import Trainer
from facekit.training.validate import Validator, class_means, crop_lfw, photos_of
from facekit.types import CropSpec


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The result of a training run."""

    loop: LoopResult
    """The step at which the run stopped, its loss, and the figures of the last evaluation."""
    people_count: int
    photo_count: int
    held_out_photo_count: int
    parameter_count: int
    model: InstalledModel | None
    """The written model.

    None if the run was interrupted, and in all processes except the chief.
    """
    net: keras.Model
    """The trained net, for any batch size; identical in every process."""


def train(
    request: TrainRequest,
    folder: Path,
    *,
    replicas: Replicas,
    validation: Validation | None = None,
    resume: bool = False,
    reporter: Reporter = SILENT,
    should_stop: Callable[[], bool] = lambda: False,
    designs: Mapping[Architecture, Design] = DESIGNS,
) -> Trained:
    """Trains as `request` states, and writes the model into `folder`.

    If `resume` is true, the run continues from the last checkpoint in `folder`.  Otherwise the run
    starts at step 0, even if `folder` has checkpoints.  `replicas` must have been opened before
    TensorFlow was used for anything else.  `validation` states the LFW folder on which the network
    is measured during the run and which gives the card its calibration; None means neither.
    `should_stop` is called before each step; if it returns True, the run ends after that step.
    `designs` maps each architecture to its network design.
    Raises InputError if the data cannot be trained on, UsageError if a setting does not fit the
    data or the start, ModelError if a model is missing or does not fit, or if the training
    diverges, and StorageError if a file cannot be written.
    """
    config = request.config
    tf.config.experimental.enable_op_determinism()
    start = start_of(request.start, config, designs=designs, reporter=reporter)
    spec, flip = start.input, start.flip
    crop = _crop_of(request, start, reporter)
    detector = aligned_detector(request.data)
    people = list_people(request.data)
    chosen, held = split(people, config)
    data_sha256 = photos_sha256(request.data, chosen, held)
    require_same_data(folder, data_sha256, is_chief=replicas.is_chief)
    steps = steps_per_epoch(chosen, config)
    reporter.note(
        f"{len(chosen)} photos of {len(chosen.names)} people"
        + (f", {len(held)} held out" if len(held) else "")
        + f"; {steps} steps an epoch, {config.epochs} epochs"
        + (f", {replicas.count} replicas" if replicas.count > 1 else "")
    )
    photos = Photos(chosen, spec, memory_mb=config.memory_mb)
    testing = Photos(held, spec, memory_mb=config.memory_mb)
    trainer = Trainer(
        partial(to_keras, start.graph, dropout=config.dropout),
        config,
        classes=len(chosen.names),
        replicas=replicas,
        fine_tunes=not start.is_fresh,
    )
    done = _restored(folder, trainer, reporter) if resume else 0
    if not start.is_fresh and config.finetune.imprint and not done:
        _imprint(trainer, photos, reporter)
    lfw = None
    if validation is not None and replicas.is_chief:
        lfw = crop_lfw(validation.lfw, spec, crop, detector=detector, reporter=reporter)
        if shared := photos_of(chosen.names, lfw):
            reporter.note(
                f"warning: {shared} of the people trained on are among those of pairsDevTest; the "
                "accuracy on it will be too high"
            )
    every = 1 if validation is None else validation.every
    validator = Validator(trainer, photos, testing, spec, flip, lfw, every, config.epochs)
    loop = run_loop(
        trainer,
        photos,
        config,
        folder,
        LoopCallbacks(should_stop, validator.figures),
        reporter=reporter,
        fine_tunes=not start.is_fresh,
        done=done,
    )
    model = None
    if replicas.is_chief and not loop.interrupted:
        reporter.note("converting to LiteRT")
        calibration = validator.calibration(reporter)
        source = _source(request, data_sha256, chosen, start)
        model = write_model(
            trainer.net,
            Described(
                request.name,
                start.architecture,
                spec,
                crop,
                detector,
                flip,
                source,
                calibration,
            ),
            folder,
            reporter=reporter,
        )
    trainer.wait_for_others()
    return Trained(
        loop=loop,
        people_count=len(chosen.names),
        photo_count=len(chosen),
        held_out_photo_count=len(held),
        parameter_count=sum(int(weight.numpy().size) for weight in trainer.net.weights),
        model=model,
        net=trainer.net,
    )


def _crop_of(request: TrainRequest, start: Start, reporter: Reporter) -> CropSpec:
    """Returns the crop rule for the model's card.

    The crop rule is that of the photos if align.json states one that can be trimmed to the size of
    the network's input, or else the usual crop rule of the network.
    """
    spec, usual = start.input, start.crop
    own = inner_crop(request.data, height_px=spec.height_px, width_px=spec.width_px)
    if own is None:
        reporter.note(
            f"{request.data} has no align.json of crops with this center: the card will say "
            f"{usual.rule.value}, {usual.margin_px:g} px, as is usual for the net"
        )
        return usual
    if own != usual:
        reporter.note(
            f"the card will ask for {own.rule.value} crops with {own.margin_px:g} px of margin, "
            f"as these photos have; {usual.margin_px:g} px of {usual.rule.value} is usual"
        )
    return own


def _imprint(trainer: Trainer, photos: Photos, reporter: Reporter) -> None:
    """Sets the class weights of a cosine head to the people's mean embeddings."""
    if isinstance(trainer.head, CosineHead):
        reporter.note("embedding the photos for the new head")
        means = class_means(photos, trainer.embed)
        with trainer.replicas.strategy.scope():
            trainer.head.imprint(means)


def _restored(folder: Path, trainer: Trainer, reporter: Reporter) -> int:
    """Restores the last checkpoint, and returns the number of steps done before it.

    Returns 0 if there is no checkpoint.
    """
    found = checkpoint.saved(folder / CHECKPOINTS_NAME)
    if not found:
        reporter.note("no checkpoint yet: starting from the beginning")
        return 0
    with trainer.replicas.strategy.scope():
        done = checkpoint.restore(found[-1], trainer.variables())
    reporter.note(f"continuing after step {done}, from {found[-1].name}")
    return done


def _source(request: TrainRequest, data_sha256: str, photos: PhotoSet, start: Start) -> Source:
    begun = "" if start.is_fresh else f", from {start.title}"
    return Source(
        title=f"trained by facekit, {request.config.loss.value}, on {len(photos)} photos of "
        f"{len(photos.names)} people in {request.data.name}{begun}",
        url="",
        sha256=data_sha256,
        license=request.license,
    )
