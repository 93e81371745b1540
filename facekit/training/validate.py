"""Measures a net while it trains, on held-out photos and on LFW's View 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facekit.enums import FacePolicy, Flip
from facekit.errors import InputError
from facekit.evaluation.calibrate import calibrate
from facekit.evaluation.embeddings import PhotoEmbeddings
from facekit.evaluation.metrics.error_rates import best_accuracy_threshold, is_measurable
from facekit.evaluation.metrics.operating_points import DEFAULT_FMR_TARGETS
from facekit.evaluation.protocols.data_set import lfw_list
from facekit.evaluation.protocols.lfw import Protocol
from facekit.evaluation.protocols.plan import Plan, open_plan
from facekit.evaluation.scoring import PairScorer
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.photos import CropPhoto, PhotoFailure, map_photos
from facekit.reporter import SILENT, Reporter
from facekit.runtime.preprocess import model_input
from facekit.template.calibration import Calibration
from facekit.template.match import unit_length
from facekit.training.dataset.batches import Photos
from facekit.training.step import Trainer
from facekit.types import CropSpec, Float32Array, InputSpec, UInt8Array

Embed = Callable[[Float32Array], Float32Array]
"""Maps (B, H, W, 3) float32 model input to (B, D) embeddings."""
Scores = Callable[[Float32Array], "Float32Array | None"]
"""Maps (B, D) embeddings to (B, classes) scores."""

_BATCH = 64


def held_out_accuracy(photos: Photos, training: Photos, embed: Embed, scores: Scores) -> float:
    """Returns the share of photos, 0..1, whose true person has the highest score.

    The scores are those of the head's class weights, or cosines to the people's mean embeddings
    over the training photos if the head has no class weights.  Each photo is cropped at its
    center, as at run time.  Raises ImageError if a photo cannot be read.
    """
    vectors = _embedded(photos, embed)
    by_class = scores(vectors)
    if by_class is None:
        by_class = unit_length(vectors) @ class_means(training, embed).T
    return float((by_class.argmax(1) == photos.photos.labels).mean())


def class_means(photos: Photos, embed: Embed) -> Float32Array:
    """Returns each person's mean embedding, scaled to unit length, (classes, D) float32.

    Each person must have a photo.  Raises ImageError if a photo cannot be read.
    """
    known = unit_length(_embedded(photos, embed))
    means = np.zeros((len(photos.photos.names), known.shape[1]), np.float32)
    np.add.at(means, photos.photos.labels, known)
    return unit_length(means)


def _embedded(photos: Photos, embed: Embed) -> Float32Array:
    return np.concatenate([embed(images) for images in photos.center_crops(_BATCH)])


@dataclass(frozen=True, slots=True, eq=False)
class LfwCrops:
    """The photos of View 1, cropped once for all validations of a run."""

    plan: Plan
    crops: UInt8Array
    """(N, H, W, 3) crops of plan.photos; all zeros if the photo has an error."""
    errors: tuple[str, ...]
    """(N,) The reason why each photo has no crop; "" if it has one."""


def crop_lfw(
    folder: Path, spec: InputSpec, crop: CropSpec, *, detector: str, reporter: Reporter = SILENT
) -> LfwCrops:
    """Crops the most central face that `detector` finds in each photo, as eval-lfw does.

    Raises InputError or PairListError if the folder is not LFW with View 1's lists, InputError if
    no photo has a crop, and ModelError if the detector cannot be opened.
    """
    plan = open_plan(lfw_list(folder, Protocol.DEVTEST), data=folder)
    paths = plan.paths()
    crops = np.zeros((len(paths), spec.height_px, spec.width_px, 3), np.uint8)
    errors = [""] * len(paths)
    locate = LocateOptions(face_policy=FacePolicy.CENTER, detector=detector)
    job = CropPhoto(locate, crop, spec.height_px, spec.width_px)
    results = map_photos(job, paths, label="cropping LFW", reporter=reporter)
    for index, result in enumerate(results):
        if isinstance(result, PhotoFailure):
            errors[index] = f"{type(result.error).__name__}: {result.error}"
        else:
            crops[index] = result
    if all(errors):
        raise InputError(f"No photo of {folder} gave a crop. The first reason: {errors[0]}")
    return LfwCrops(plan, crops, tuple(errors))


def photos_of(people: Sequence[str], lfw: LfwCrops) -> int:
    """Returns the number of `people` (those in the training set) that are also in pairsDevTest."""
    tested = {photo.person for photo in lfw.plan.pair_list.photos}
    return len(tested.intersection(people))


@dataclass(frozen=True, slots=True, eq=False)
class LfwResult:
    """Accuracy on pairsDevTest at the threshold that is best on pairsDevTrain."""

    accuracy: float
    """Accuracy 0..1; pairs without a score count as wrong."""
    devtrain_accuracy: float
    """Accuracy 0..1 on pairsDevTrain, on which the threshold was chosen."""
    n_pairs: int
    embeddings: PhotoEmbeddings


def validate_lfw(lfw: LfwCrops, spec: InputSpec, flip: Flip, embed: Embed) -> LfwResult:
    """Returns the accuracy on LFW's View 1.

    Templates are centered by the mean embedding of pairsDevTrain's photos, as `calibrate` does.
    """
    views = [lfw.crops] if flip is Flip.NONE else [lfw.crops, lfw.crops[:, :, ::-1]]
    vectors = np.stack([_vectors(view, spec, embed) for view in views], axis=1)
    embeddings = PhotoEmbeddings(vectors, lfw.errors, computed=len(vectors))
    training = lfw.plan.training
    assert training is not None  # devtest has one
    scorer = PairScorer(lfw.plan.photos, embeddings, flip=flip)
    own, _rows = scorer.vectors_of(training.photos)
    mean = own.mean(0, dtype=np.float64).astype(np.float32)
    scores, same = scorer.scored(training.pairs, mean=mean)
    threshold = best_accuracy_threshold(scores, same)
    pairs = lfw.plan.pair_list.pairs
    found = scorer.scores(pairs, mean=mean)
    truth = np.array([pair.same for pair in pairs])
    right = np.where(np.isnan(found), False, (found >= threshold) == truth)
    return LfwResult(
        accuracy=float(right.mean()),
        devtrain_accuracy=float(((scores >= threshold) == same).sum() / len(training.pairs)),
        n_pairs=len(pairs),
        embeddings=embeddings,
    )


def _vectors(crops: UInt8Array, spec: InputSpec, embed: Embed) -> Float32Array:
    """Embeds crops (N, H, W, 3) uint8, and returns (N, D) vectors of unit length."""
    return np.concatenate(
        [
            unit_length(embed(model_input(crops[first : first + _BATCH], spec)))
            for first in range(0, len(crops), _BATCH)
        ]
    )


def calibrated(
    lfw: LfwCrops, result: LfwResult, flip: Flip, *, reporter: Reporter = SILENT
) -> Calibration:
    """Computes the mean embedding and the thresholds for a card, from pairsDevTrain's photos only.

    An FMR that is too low for the number of impostor pairs gets no threshold, and `reporter`
    receives a note.
    """
    training = lfw.plan.training
    assert training is not None
    row = {photo.path: index for index, photo in enumerate(lfw.plan.photos)}
    rows = [row[photo.path] for photo in training.photos]
    theirs = replace(
        result.embeddings,
        vectors=result.embeddings.vectors[rows],
        errors=tuple(lfw.errors[index] for index in rows),
    )
    people = Counter(
        photo.person
        for photo, error in zip(training.photos, theirs.errors, strict=True)
        if not error
    )
    impostors = (people.total() ** 2 - sum(count**2 for count in people.values())) // 2
    carried = [fmr for fmr in DEFAULT_FMR_TARGETS if is_measurable(fmr, impostors)]
    if left_out := [f"{fmr:g}" for fmr in DEFAULT_FMR_TARGETS if fmr not in carried]:
        reporter.note(
            f"the card gets no threshold for FMR {', '.join(left_out)}: the {impostors:,} impostor "
            "pairs of pairsDevTrain's photos are too few"
        )
    return calibrate(
        theirs, training, dataset=lfw.plan.dataset, flip=flip, fmr_targets=carried
    ).calibration


class Validator:
    """Computes the figures after each epoch, and stores the last LFW result for the card."""

    def __init__(
        self,
        trainer: Trainer,
        photos: Photos,
        testing: Photos,
        spec: InputSpec,
        flip: Flip,
        lfw: LfwCrops | None,
        every: int,
        epochs: int,
    ) -> None:
        """`photos` are the photos on which the net is trained, and `testing` are the held-out ones.

        LFW is measured after every `every` epochs, and after the last of the `epochs` epochs.
        """
        self._trainer = trainer
        self._photos = photos
        self._testing = testing
        self._spec = spec
        self._flip = flip
        self._lfw = lfw
        self._every = every
        self._epochs = epochs
        self._last: LfwResult | None = None

    def figures(self, epoch: int) -> dict[str, float]:
        found: dict[str, float] = {}
        if len(self._testing.photos):
            found["held_out_accuracy"] = held_out_accuracy(
                self._testing, self._photos, self._trainer.embed, self._trainer.scores
            )
        if self._lfw is not None and (epoch % self._every == 0 or epoch == self._epochs):
            self._last = validate_lfw(self._lfw, self._spec, self._flip, self._trainer.embed)
            found["lfw_devtrain_accuracy"] = self._last.devtrain_accuracy
            found["lfw_devtest_accuracy"] = self._last.accuracy
        return found

    def calibration(self, reporter: Reporter = SILENT) -> Calibration:
        """Returns the calibration from pairsDevTrain, or an empty one if there are no LFW crops."""
        if self._lfw is None:
            return Calibration()
        result = self._last or validate_lfw(self._lfw, self._spec, self._flip, self._trainer.embed)
        return calibrated(self._lfw, result, self._flip, reporter=reporter)
