"""Makes each stage a function without arguments that runs it once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter
from typing import TypeVar

import cv2
import numpy as np

from facekit.bench.plan import BenchmarkCase
from facekit.enums import Stage
from facekit.errors import NoFaceError
from facekit.model.card import embedder_of
from facekit.model.store import InstalledModel, find
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.pipeline.records import LocatedPicture
from facekit.runtime.delegates import OpenedNet, open_net
from facekit.template.match import Decision, cosine_similarity, decide, unit_length
from facekit.template.threshold import Threshold
from facekit.types import Float32Array, UInt8Array

Item = TypeVar("Item")

_SEED = 20_261_122  # makes synthetic crops and vectors equal in every run
_MOST_PHOTOS = 256  # maximum number of decoded photos in memory


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stage that is ready to run."""

    run: Callable[[], object]
    images: int
    """Number of photos or crops that one run processes."""
    load_ms: float
    opened: OpenedNet | None
    """The embedding network, in stages that use it."""


def prepare(case: BenchmarkCase) -> Prepared:
    """Loads what the stage needs; loading alone is timed.  Raises FacekitError."""
    cv2.setNumThreads(case.threads)
    installed = find(str(case.model))
    return _PREPARE[case.stage](case, installed)


def _load(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    def load() -> OpenedNet:
        return open_net(installed.path, request=case.request, threads=case.threads)

    opened, load_ms = _timed(load)
    return Prepared(load, 0, load_ms, opened)


def _embed(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    opened, load_ms = _timed(
        lambda: open_net(installed.path, request=case.request, threads=case.threads)
    )
    embedder = embedder_of(opened.net, installed.card)
    batches = _batches(list(_crops(case, installed)), case.batch)
    return Prepared(lambda: embedder.embed(np.stack(next(batches))), case.batch, load_ms, opened)


def _detect(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    locator = _locator(case, installed)
    detector, load_ms = _timed(lambda: locator.detector)
    photos = [picture.pixels for picture in locator.read(case.photos[:_MOST_PHOTOS])]
    batches = _batches(photos, case.batch)
    return Prepared(lambda: detector.detect(next(batches)), case.batch, load_ms, None)


def _align(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    pipeline = Pipeline(installed)
    batches = _batches(_located(case, installed), case.batch)
    return Prepared(
        lambda: [pipeline.crop(located) for located in next(batches)], case.batch, 0.0, None
    )


def _match(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    shape = (2 * case.batch, installed.card.embedding_size)
    vectors = unit_length(_random().standard_normal(shape, np.float32))
    a, b = vectors[: case.batch], vectors[case.batch :]
    return Prepared(lambda: _decisions(a, b), 0, 0.0, None)


def _verify(case: BenchmarkCase, installed: InstalledModel) -> Prepared:
    """Verifies every photo against the next one with a face, and ignores the decision."""
    faces = [located.picture.name for located in _located(case, installed)]
    locate = LocateOptions(detector=case.detector, accelerator=case.request)
    options = PipelineOptions(locate, threads=case.threads, accelerator=case.request)
    pipeline = Pipeline(installed, options=options)
    _, load_ms = _timed(pipeline.load)
    pairs = _batches(faces, 2)
    threshold = Threshold(0.0, None)
    return Prepared(
        lambda: pipeline.verify(*next(pairs), threshold=threshold), 2, load_ms, pipeline.opened
    )


_PREPARE: dict[Stage, Callable[[BenchmarkCase, InstalledModel], Prepared]] = {
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
    """Yields the items in turn, `size` at a time, without end."""
    endless = cycle(items)
    while True:
        yield list(islice(endless, size))


def _crops(case: BenchmarkCase, installed: InstalledModel) -> UInt8Array:
    """Returns (N, H, W, 3) crops of the photos, or synthetic crops, which take the same time."""
    if case.photos:
        pipeline = Pipeline(installed)
        return np.concatenate([pipeline.crop(located) for located in _located(case, installed)])
    size = installed.card.input
    shape = (case.batch, size.height_px, size.width_px, 3)
    return _random().integers(0, 256, shape, np.uint8)


def _located(case: BenchmarkCase, installed: InstalledModel) -> list[LocatedPicture]:
    """Returns the first photos with a face.  Raises NoFaceError if no photo has a face."""
    locator = _locator(case, installed)
    found = []
    for photo in case.photos[:_MOST_PHOTOS]:
        with suppress(NoFaceError):
            found += locator.locate([photo])
    if not found:
        raise NoFaceError(f"None of {len(case.photos[:_MOST_PHOTOS])} photos has a face.")
    return found


def _locator(case: BenchmarkCase, installed: InstalledModel) -> Locator:
    detector = case.detector or installed.card.detector
    return Locator(options=LocateOptions(detector=detector, threads=case.threads))


def _decisions(a: Float32Array, b: Float32Array) -> list[Decision]:
    return [
        decide(float(similarity), threshold_similarity=0.5)
        for similarity in cosine_similarity(a, b)
    ]


def _random() -> np.random.Generator:
    return np.random.default_rng(_SEED)
