"""Runs a newly built file on a test image before it may be used."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.probe import golden_outputs, probe
from facekit.model.card import Card, Task
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

Inference: TypeAlias = Callable[[Float32Array], Sequence[Float32Array]]
"""Runs a network on a batch of images, (N, H, W, 3) float32, and returns its outputs."""

MIN_COSINE = 0.99999
"""Minimum cosine between an embedding and the expected embedding."""
MAX_DIFFERENCE = 1e-4
"""Maximum difference between an element of a detector's outputs and the expected value."""


def self_test(
    net: str, path: Path, card: Card, *, run_source: Inference | None, reporter: Reporter = SILENT
) -> None:
    """Runs the file at `path` on a test image of `facekit.graph.probe`, and compares the outputs.

    The outputs must agree with those of `run_source`, which runs the source of the conversion, and
    with the outputs of other implementations in golden.json.  None for `run_source` means that only
    golden.json is used.  If golden.json does not have these weights, `reporter` receives a note.

    Raises ModelBuildError if the outputs differ, or if there are no outputs for comparison.
    """
    image = probe(net, card.input)
    outputs = LiteRtNet(path).run(image)
    if run_source is not None:
        title = f"{path.name} and the graph it was made from"
        _compare(outputs, run_source(image), card.task, title)
    golden = golden_outputs(card.source.sha256, net)
    if golden is not None:
        _compare(outputs, golden, card.task, f"{path.name} and its golden value")
    elif run_source is not None:
        reporter.note(
            f"no output of {card.name} is known to compare with: tested against its graph only"
        )
    else:
        raise ModelBuildError(
            f"{path.name} cannot be tested: what weights of sha256 {card.source.sha256} answer to "
            "a test image is unknown."
        )


def max_difference(ours: Float32Array, theirs: Float32Array) -> float:
    """Returns the largest difference of two elements of embeddings scaled to unit length.

    `ours` and `theirs` are (N, D).  Returns NaN if the shapes differ or a vector has length 0.
    """
    if ours.shape != theirs.shape:
        return math.nan
    with np.errstate(all="ignore"):
        a, b = (
            vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (ours, theirs)
        )
    return float(np.abs(a - b).max())


def _compare(
    outputs: Sequence[Float32Array], expected: Sequence[Float32Array], task: Task, title: str
) -> None:
    shapes = (
        [output.shape for output in outputs],
        [expected_output.shape for expected_output in expected],
    )
    if shapes[0] != shapes[1]:
        raise ModelBuildError(f"{title} differ in shape: {shapes[0]} and {shapes[1]}.")
    for output, expected_output in zip(outputs, expected, strict=True):
        if task is Task.EMBEDDING:
            cosine = float(output.ravel() @ expected_output.ravel())
            cosine /= float(np.linalg.norm(output)) * float(np.linalg.norm(expected_output))
            agree, found = cosine >= MIN_COSINE, f"cosine {cosine:.7f}, {MIN_COSINE} needed"
        else:
            difference = float(np.abs(output - expected_output).max())
            agree = difference <= MAX_DIFFERENCE
            found = f"greatest difference {difference:.2g}, {MAX_DIFFERENCE} allowed"
        if not agree:
            raise ModelBuildError(
                f"{title} do not agree on a test image: {found}. The model is not put in "
                "place; build it again, and report this if it happens twice."
            )
