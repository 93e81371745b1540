"""A file just built is run as it will be run later, before it may be used."""

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

Answers: TypeAlias = Callable[[Float32Array], Sequence[Float32Array]]
"""a net's outputs for a batch of pictures"""

LEAST_COSINE = 0.99999
"""of an embedding to the one it is checked against"""
MAX_DIFFERENCE = 1e-4
"""of a detector's outputs to those they are checked against"""


def self_test(
    net: str, path: Path, card: Card, *, answers: Answers | None, reporter: Reporter = SILENT
) -> None:
    """Runs the file at `path` on a known picture; see `facekit.graph.probe`.

    It must answer as `answers` do, what it was converted from where that can be run here, and as
    other implementations did for weights that golden.json knows; for others `reporter` is told
    that there is no such value.
    Raises ModelBuildError otherwise, and where there is nothing to compare the answer with.
    """
    picture = probe(net, card.input)
    given = LiteRtNet(path).run(picture)
    if answers is not None:
        which = f"{path.name} and the graph it was made from"
        _compare(given, answers(picture), card.task, which)
    golden = golden_outputs(card.source.sha256, net)
    if golden is not None:
        _compare(given, golden, card.task, f"{path.name} and its golden value")
    elif answers is not None:
        reporter.note(
            f"no golden value is known for {card.name}: tested against its own graph only"
        )
    else:
        raise ModelBuildError(
            f"{path.name} cannot be tested: what weights of sha256 {card.source.sha256} answer to "
            "a known picture is not known."
        )


def greatest_difference(ours: Float32Array, theirs: Float32Array) -> float:
    """In any number of embeddings, (N, D) each, made of unit length; NaN where one has none."""
    if ours.shape != theirs.shape:
        return math.nan
    with np.errstate(all="ignore"):
        a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (ours, theirs))
    return float(np.abs(a - b).max())


def _compare(
    answers: Sequence[Float32Array], wanted: Sequence[Float32Array], task: Task, which: str
) -> None:
    shapes = [answer.shape for answer in answers], [one.shape for one in wanted]
    if shapes[0] != shapes[1]:
        raise ModelBuildError(f"{which} differ in shape: {shapes[0]} and {shapes[1]}.")
    for answer, one in zip(answers, wanted, strict=True):
        if task is Task.EMBEDDING:
            cosine = float(answer.ravel() @ one.ravel())
            cosine /= float(np.linalg.norm(answer)) * float(np.linalg.norm(one))
            agree, found = cosine >= LEAST_COSINE, f"cosine {cosine:.7f}, {LEAST_COSINE} needed"
        else:
            difference = float(np.abs(answer - one).max())
            agree = difference <= MAX_DIFFERENCE
            found = f"greatest difference {difference:.2g}, {MAX_DIFFERENCE} allowed"
        if not agree:
            raise ModelBuildError(
                f"{which} do not agree on a known picture: {found}. The model is not put in "
                "place; build it again, and report this if it happens twice."
            )
