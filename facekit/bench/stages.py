"""Each stage as a function without arguments that does it once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter
from typing import TypeVar

import cv2
import numpy as np

from facekit.bench.plan import Task
from facekit.enums import Stage
from facekit.errors import NoFaceError
from facekit.model.card import embedder_of
from facekit.model.store import InstalledModel, find
from facekit.pipeline.locate import LocatedPicture, LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.runtime.delegates import OpenedNet, open_net
from facekit.template.match import Decision, cosine_similarity, decide, unit_length
from facekit.template.threshold import Threshold
from facekit.types import Float32Array, UInt8Array

Item = TypeVar("Item")

_SEED = 20_261_122  # made-up crops and vectors are the same in every run
_MOST_PHOTOS = 256  # that are held in memory, decoded


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stage that is ready to run."""

    run: Callable[[], object]
    images: int
    """pictures that one run works on"""
    load_ms: float
    opened: OpenedNet | None
    """the embedding network, in stages that use it"""


def prepare(task: Task) -> Prepared:
    """Loads what the stage needs; loading alone is timed.  Raises FacekitError."""
    cv2.setNumThreads(task.threads)
    installed = find(str(task.model))
    return _PREPARE[task.stage](task, installed)


def _load(task: Task, installed: InstalledModel) -> Prepared:
    def load() -> OpenedNet:
        return open_net(installed.path, request=task.request, threads=task.threads)

    opened, load_ms = _timed(load)
    return Prepared(load, 0, load_ms, opened)


def _embed(task: Task, installed: InstalledModel) -> Prepared:
    opened, load_ms = _timed(
        lambda: open_net(installed.path, request=task.request, threads=task.threads)
    )
    embedder = embedder_of(opened.net, installed.card)
    batches = _batches(list(_crops(task, installed)), task.batch)
    return Prepared(lambda: embedder.embed(np.stack(next(batches))), task.batch, load_ms, opened)


def _detect(task: Task, _installed: InstalledModel) -> Prepared:
    locator = _locator(task)
    detector, load_ms = _timed(lambda: locator.detector)
    photos = [picture.pixels for picture in locator.read(task.photos[:_MOST_PHOTOS])]
    batches = _batches(photos, task.batch)
    return Prepared(lambda: detector.detect(next(batches)), task.batch, load_ms, None)


def _align(task: Task, installed: InstalledModel) -> Prepared:
    pipeline = Pipeline(installed)
    batches = _batches(_located(task), task.batch)
    return Prepared(
        lambda: [pipeline.crop(located) for located in next(batches)], task.batch, 0.0, None
    )


def _match(task: Task, installed: InstalledModel) -> Prepared:
    shape = (2 * task.batch, installed.card.embedding_size)
    vectors = unit_length(_random().standard_normal(shape, np.float32))
    a, b = vectors[: task.batch], vectors[task.batch :]
    return Prepared(lambda: _decisions(a, b), 0, 0.0, None)


def _verify(task: Task, installed: InstalledModel) -> Prepared:
    """Every photo against the next one that has a face; the decision itself is not looked at."""
    faces = [located.picture.name for located in _located(task)]
    options = PipelineOptions(threads=task.threads, accelerator=task.request)
    pipeline = Pipeline(installed, options=options)
    _, load_ms = _timed(pipeline.load)
    pairs = _batches(faces, 2)
    cut = Threshold(0.0, None)
    return Prepared(
        lambda: pipeline.verify(*next(pairs), threshold=cut), 2, load_ms, pipeline.opened
    )


_PREPARE: dict[Stage, Callable[[Task, InstalledModel], Prepared]] = {
    Stage.LOAD: _load,
    Stage.DETECT: _detect,
    Stage.ALIGN: _align,
    Stage.EMBED: _embed,
    Stage.MATCH: _match,
    Stage.VERIFY: _verify,
}


def _timed(make: Callable[[], Item]) -> tuple[Item, float]:
    start = perf_counter()
    made = make()
    return made, (perf_counter() - start) * 1e3


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Endless: the items in turn, `size` at a time."""
    endless = cycle(items)
    while True:
        yield list(islice(endless, size))


def _crops(task: Task, installed: InstalledModel) -> UInt8Array:
    """(N, H, W, 3) from the photos, or made up: what is in them does not change the time."""
    if task.photos:
        pipeline = Pipeline(installed)
        return np.concatenate([pipeline.crop(located) for located in _located(task)])
    size = installed.card.input
    shape = (task.batch, size.height_px, size.width_px, 3)
    return _random().integers(0, 256, shape, np.uint8)


def _located(task: Task) -> list[LocatedPicture]:
    """The first photos that have a face.  Raises NoFaceError where none has."""
    locator = _locator(task)
    found = []
    for photo in task.photos[:_MOST_PHOTOS]:
        with suppress(NoFaceError):
            found += locator.locate([photo])
    if not found:
        raise NoFaceError(f"None of {len(task.photos[:_MOST_PHOTOS])} photos has a face.")
    return found


def _locator(task: Task) -> Locator:
    return Locator(options=LocateOptions(threads=task.threads))


def _decisions(a: Float32Array, b: Float32Array) -> list[Decision]:
    return [
        decide(float(similarity), threshold_similarity=0.5)
        for similarity in cosine_similarity(a, b)
    ]


def _random() -> np.random.Generator:
    return np.random.default_rng(_SEED)
