"""A file just built is run as it will be run later, before it may be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.probe import golden_outputs, probe
from facekit.model.card import Card, Task
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet
from facekit.system.keras_backend import keras
from facekit.types import Float32Array

LEAST_COSINE = 0.99999
"""of an embedding to the one it is checked against"""
GREATEST_DIFFERENCE = 1e-4
"""of a detector's outputs to those they are checked against"""


def self_test(graph: keras.Model, path: Path, card: Card, *, reporter: Reporter = SILENT) -> None:
    """Runs the file at `path` on a known picture; see facekit/graph/probe.py.

    It must answer as `graph`, which it was converted from, and as other implementations did for
    weights that golden.json knows; for others `reporter` is told that there is no such value.
    Raises ModelBuildError otherwise.
    """
    picture = probe(graph.name, card.input)
    answers = LiteRtNet(path).run(picture)
    converted_from = [np.asarray(output) for output in keras.tree.flatten(graph(picture))]
    _compare(answers, converted_from, card.task, f"{path.name} and the graph it was made from")
    golden = golden_outputs(card.source.sha256, graph.name)
    if golden is None:
        reporter.note(
            f"no golden value is known for {card.name}: tested against its own graph only"
        )
    else:
        _compare(answers, golden, card.task, f"{path.name} and its golden value")


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
            agree = difference <= GREATEST_DIFFERENCE
            found = f"greatest difference {difference:.2g}, {GREATEST_DIFFERENCE} allowed"
        if not agree:
            raise ModelBuildError(
                f"{which} do not agree on a known picture: {found}. The model is not put in "
                "place; build it again, and report this if it happens twice."
            )
