"""Writes the trained net as a float32 LiteRT file with its card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit.conversion.self_test import Inference, self_test
from facekit.enums import Flip
from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Source, Task, bound
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import Reporter
from facekit.system.files import write_atomically
from facekit.template.calibration import Calibration
from facekit.training.backend import keras, tf
from facekit.training.keras_graph import from_keras, to_keras
from facekit.types import CropSpec, InputSpec
from facekit.version import __version__


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """The values for the card of a trained model."""

    name: str
    architecture: str
    input: InputSpec
    crop: CropSpec
    detector: str
    flip: Flip
    source: Source
    calibration: Calibration


def write_model(
    net: keras.Model, described: Described, folder: Path, *, reporter: Reporter
) -> InstalledModel:
    """Writes NAME_float32.tflite and its card into `folder`.

    The card is written only if the file's embeddings equal those of the net for a test image.
    Raises ModelBuildError if the embeddings differ or the net cannot be converted, and StorageError
    if a file cannot be written.
    """
    graph = from_keras(net)
    content = to_litert(graph)
    card = Card(
        name=described.name,
        variant=DEFAULT_VARIANT,
        task=Task.EMBEDDING,
        architecture=described.architecture,
        file_name=f"{described.name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=described.source,
        input=described.input,
        crop=described.crop,
        embedding_size=graph.outputs[0].shape[1] * described.flip.vectors,
        detector=described.detector,
        flip=described.flip,
        calibration=described.calibration,
        tools={"facekit": __version__, "keras": keras.__version__, "tensorflow": tf.__version__},
    )
    card = bound(card)
    path = folder / card.file_name
    write_atomically(path, content)
    self_test(graph.name, path, card, run_source=_in_float32(graph), reporter=reporter)
    write_atomically(path.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return InstalledModel(card, path)


def _in_float32(graph: Graph) -> Inference:
    """Returns a function that runs the graph in float32, whatever the precision of the training."""
    net = to_keras(graph)
    return lambda pictures: [np.asarray(net(pictures))]
