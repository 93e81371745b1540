"""Chooses the photos of each step by seed and epoch only, so that a run can be resumed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.photo.sources import PersonFolder
from facekit.training.config import TrainConfig

IntArray = NDArray[np.int64]

_ORDER, _SPLIT = 1, 2  # independent streams of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSet:
    """Labeled photos; `labels` are indices into `names`."""

    paths: tuple[Path, ...]
    labels: IntArray
    """(N,) The class index of each photo."""
    names: tuple[str, ...]
    """Names of the classes."""

    def __len__(self) -> int:
        return len(self.paths)


def split(people: Sequence[PersonFolder], config: TrainConfig) -> tuple[PhotoSet, PhotoSet]:
    """Returns the training photos and the held-out photos, both of the same people.

    Of a person with n >= 2 photos, round(held_out * n) are held out, at least 1 and at most n - 1.
    If held_out is 0, no photo is held out.  Raises InputError if fewer than two people remain.
    """
    people = [person for person in people if person.photos]
    if len(people) < 2:
        raise InputError(f"Photos of two people at least are needed. Received: {len(people)}.")
    kept: list[tuple[Path, int]] = []
    out: list[tuple[Path, int]] = []
    for label, person in enumerate(people):
        n = len(person.photos)
        count = 0
        if config.held_out and n >= 2:
            count = min(max(round(config.held_out * n), 1), n - 1)
        order = np.random.default_rng((config.seed, _SPLIT, label)).permutation(n)
        chosen = set(order[:count].tolist())
        for index, photo in enumerate(person.photos):
            (out if index in chosen else kept).append((photo, label))
    names = tuple(person.name for person in people)
    return _photo_set(kept, names), _photo_set(out, names)


def _photo_set(items: list[tuple[Path, int]], names: tuple[str, ...]) -> PhotoSet:
    labels = np.array([label for _path, label in items], np.int64)
    return PhotoSet(tuple(path for path, _label in items), labels, names)


def photos_sha256(folder: Path, *sets: PhotoSet) -> str:
    """Returns a hash of names, labels and file sizes, which detects changes of a folder's photos.

    The hash does not depend on the path of `folder`.  Raises InputError if a photo is missing.
    """
    digest = hashlib.sha256()
    for photos in sets:
        for path, label in zip(photos.paths, photos.labels.tolist(), strict=True):
            try:
                size = path.stat().st_size
            except OSError as error:
                raise InputError(f"{path}: {error.strerror or error}") from error
            digest.update(os.fsencode(f"{path.relative_to(folder).as_posix()}\t{label}\t{size}\n"))
        digest.update(b"\n")
    return digest.hexdigest()


def steps_per_epoch(photos: PhotoSet, config: TrainConfig) -> int:
    """Returns the number of steps of an epoch.

    Raises InputError if the photos do not fill one batch, and neither steps_per_epoch nor
    photos_per_person is set.
    """
    if config.steps_per_epoch:
        return config.steps_per_epoch
    if config.photos_per_person:
        return max(len(photos) // config.batch_size, 1)
    if len(photos) < config.batch_size:
        raise InputError(
            f"A batch of {config.batch_size} photos is more than the {len(photos)} there are to "
            "train on. Pass a smaller --batch-size."
        )
    return len(photos) // config.batch_size


def epoch_plan(photos: PhotoSet, config: TrainConfig, epoch: int) -> IntArray:
    """Returns the photo indices of each batch, (steps, batch_size).

    If photos_per_person is 0, the photos come in random order, without those that do not fill a
    last batch; if steps_per_epoch needs more photos, further random orders follow.  Otherwise
    people come in random order with photos_per_person photos each, and photos of a person with
    fewer photos repeat.
    Raises InputError if there are too few people for a batch.
    """
    random = np.random.default_rng((config.seed, _ORDER, epoch))
    steps = steps_per_epoch(photos, config)
    wanted = steps * config.batch_size
    if config.photos_per_person:
        return _balanced(photos, config, random, steps)
    rounds = -(-wanted // len(photos))
    order = np.concatenate([random.permutation(len(photos)) for _ in range(rounds)])
    return order[:wanted].reshape(steps, config.batch_size)


def _balanced(
    photos: PhotoSet, config: TrainConfig, random: np.random.Generator, steps: int
) -> IntArray:
    each = config.photos_per_person
    people = config.batch_size // each
    of_class = [np.flatnonzero(photos.labels == label) for label in range(len(photos.names))]
    # A person with one photo has no genuine pair, but serves as a negative for other people.
    there = [label for label, own in enumerate(of_class) if len(own)]
    if len(there) < people:
        raise InputError(
            f"A batch of {people} people needs as many in the data. Received: {len(there)}. Pass "
            "a smaller --batch-size, or a larger photos_per_person."
        )
    plan = np.empty((steps, people, each), np.int64)
    waiting: list[int] = []
    for step in range(steps):
        if len(waiting) < people:
            fresh = [there[index] for index in random.permutation(len(there))]
            waiting += [one for one in fresh if one not in waiting]
        chosen, waiting = waiting[:people], waiting[people:]
        for index, label in enumerate(chosen):
            own = of_class[label]
            plan[step, index] = np.resize(random.permutation(own), each)
    return plan.reshape(steps, people * each)
