"""Runs the faces of facekit/face/portraits.py through the networks on one device.

The crops of the faces go through the embedding network, and their photos through the detector.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import numpy as np

from facekit.errors import AcceleratorError, ModelMismatchError, ModelMissingError
from facekit.face.portraits import NAMES, shipped_portraits, unstretched_faces
from facekit.model.card import embedder_of
from facekit.model.store import DEFAULT_VARIANT, InstalledModel, load_checked
from facekit.model.variants import file_name
from facekit.pipeline.locate import LocateOptions, Locator, Stopwatch
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, DeviceUse, device_use, open_net
from facekit.tasks.selftest_results import RunTimes
from facekit.types import Float32Array, UInt8Array

_ROUNDS = 2
_COMPILED = ("vela", "neutron")
"""Last word of the variant of a file that Vela or NXP's neutron-converter has compiled."""

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the networks computed on one device."""

    model: InstalledModel
    use: DeviceUse
    delegated_nodes: int
    vectors: Float32Array
    """(2, 3, D) embeddings of the three faces, of unit length, in the first and the second
    round."""
    embedding_times: RunTimes
    nets: tuple[InstalledModel, ...] = ()
    """The detector's nets; () if it was not run."""
    detector_delegated_nodes: int = 0
    boxes: tuple[Float32Array, ...] = ()
    """(K, 4) boxes of the faces in each of the three photos; () if the detector was not run."""
    detection_times: RunTimes | None = None


@dataclass(slots=True)
class _Clock:
    """Collects the wall times of loading one network and of its runs."""

    spent_ms: list[float] = field(default_factory=list)

    def timed(
        self,
        function: Callable[Arguments, Made],
        *arguments: Arguments.args,
        **options: Arguments.kwargs,
    ) -> Made:
        """Returns what the function returns."""
        start = time.perf_counter()
        made = function(*arguments, **options)
        self.spent_ms.append((time.perf_counter() - start) * 1e3)
        return made

    def times(self) -> RunTimes:
        """Returns the times of loading and the first run, and the median of the last round."""
        load_ms, first_ms, *_ = self.spent_ms
        return RunTimes(load_ms, first_ms, float(np.median(self.spent_ms[-len(NAMES) :])))


def run_networks(
    model: InstalledModel,
    locate: LocateOptions | None,
    accelerator: AcceleratorRequest,
    *,
    threads: int,
    on_cpu: bool,
    reporter: Reporter = SILENT,
) -> Answers:
    """Embeds each of the shipped crops twice, one at a time, and detects the faces in each photo.

    `locate`: None runs no detector; without `on_cpu`, a detector that stays on the CPU is not run
    either.  `on_cpu`: use the CPU in place of `accelerator`.  `reporter` is told if a network will
    first be compiled for minutes.  Raises the errors of `open_net`, and
    AcceleratorError, or ModelMismatchError for the CPU, for an embedding that is zero or not
    finite.
    """
    card, clock = model.card, _Clock()
    assert card.crop is not None  # an embedding model's card always has a crop
    opened = clock.timed(
        open_net,
        model.path,
        request=accelerator,
        threads=threads,
        on_cpu=on_cpu,
        reporter=reporter,
    )
    embedder = embedder_of(opened.net, card)

    def embedded(crop: UInt8Array) -> Float32Array:
        return np.asarray(embedder.embed_views(crop[None], mirrored=False)[0, 0], np.float32)

    crops = shipped_portraits(card.input, card.crop)
    try:
        vectors = [[clock.timed(embedded, crop) for crop in crops] for _ in range(_ROUNDS)]
    except ModelMismatchError as error:
        kind, who = (
            (ModelMismatchError, "The CPU") if on_cpu else (AcceleratorError, "The accelerator")
        )
        raise kind(f"{who} computes no embedding of a face with {model.path}: {error}") from error
    answers = Answers(
        model,
        device_use(model.path, AcceleratorRequest() if on_cpu else accelerator, opened),
        opened.delegated_nodes,
        np.array(vectors, np.float32),
        clock.times(),
    )
    return answers if locate is None else _with_detections(answers, locate, reporter)


def for_cpu(model: InstalledModel) -> InstalledModel:
    """Returns a file that the CPU can run: the model's, or another variant of it.

    Raises ModelMissingError if the file is compiled for an NPU and there is no other beside it.
    """
    card = model.card
    source, _, compiler = card.variant.rpartition("_")
    if card.npu_milliseconds is None and compiler not in _COMPILED:
        return model
    for other in other_variants(model, source, "int8", "uint8", DEFAULT_VARIANT):
        return other
    raise ModelMissingError(
        f"{model.path} runs on its NPU only, and its answers are compared with the CPU's: "
        f"{file_name(card.name, 'int8')} and its card are needed beside it."
    )


def other_variants(model: InstalledModel, *variants: str) -> Iterator[InstalledModel]:
    """Yields those variants that are in the model's folder or, as `convert` puts them, above it.

    Raises ModelMismatchError for a file that is not as its card says.
    """
    for variant in variants:
        for folder in (model.path.parent, model.path.parent.parent):
            path = folder / file_name(model.card.name, variant)
            if variant != model.card.variant and path.is_file():
                yield load_checked(path)


def _with_detections(answers: Answers, options: LocateOptions, reporter: Reporter) -> Answers:
    locator, clock = Locator(options=options, stopwatch=Stopwatch(reporter)), _Clock()
    clock.timed(lambda: locator.detector)
    delegated_nodes = sum(opened.delegated_nodes for opened in locator.opened)
    if not (options.on_cpu or delegated_nodes):
        return answers
    photos = unstretched_faces()
    found = [clock.timed(locator.detect, [photo])[0] for photo in photos * _ROUNDS]
    return replace(
        answers,
        nets=locator.nets,
        detector_delegated_nodes=delegated_nodes,
        boxes=tuple(
            np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4)
            for faces in found[: len(photos)]
        ),
        detection_times=clock.times(),
    )
