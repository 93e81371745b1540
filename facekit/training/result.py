"""The trained net as a float32 LiteRT file with its card: what every other command takes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from facekit.conversion.self_test import self_test
from facekit.enums import Architecture, Flip
from facekit.errors import ModelBuildError
from facekit.graph.nets.designs import Design
from facekit.graph.write.keras_litert import answers_of, keras_to_litert, keras_tools
from facekit.model.card import Card, Source, Task, bound
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import Reporter
from facekit.system.files import write_atomically
from facekit.system.keras_backend import keras
from facekit.template.calibration import Calibration
from facekit.types import CropSpec, InputSpec
from facekit.version import __version__


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What the card of a trained model says."""

    name: str
    architecture: Architecture
    input: InputSpec
    crop: CropSpec
    detector: str
    flip: Flip
    source: Source
    calibration: Calibration


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Every variable of `target` from the one of `source` of the same path.

    What only training has (dropout's random state) stays behind.
    Raises ModelBuildError naming a variable that is missing, or left over, or of another shape.
    """
    given = {
        variable.path: variable
        for variable in source.variables
        if "seed_generator" not in variable.path
    }
    wanted = {
        variable.path: variable
        for variable in target.variables
        if "seed_generator" not in variable.path
    }
    wrong = sorted(given.keys() ^ wanted.keys()) or sorted(
        path for path, variable in wanted.items() if variable.shape != given[path].shape
    )
    if wrong:
        raise ModelBuildError(
            f"The weights of {source.name} do not fit the graph {target.name}: "
            f"{', '.join(wrong[:3])}."
        )
    for path, variable in wanted.items():
        variable.assign(given[path].numpy())


def write_model(
    net: keras.Model,
    design: Design,
    described: Described,
    folder: Path,
    *,
    embedding_size: int,
    reporter: Reporter,
) -> InstalledModel:
    """NAME_float32.tflite and its card in `folder`, run and compared with the graph first.

    Raises ModelBuildError where the file does not answer as the net does, StorageError.
    """
    graph = design.graph(embedding_size=embedding_size)
    copy_weights(net, graph)
    content = keras_to_litert(graph)
    card = Card(
        name=described.name,
        variant=DEFAULT_VARIANT,
        task=Task.EMBEDDING,
        architecture=described.architecture.value,
        file_name=f"{described.name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=described.source,
        input=described.input,
        crop=described.crop,
        embedding_size=embedding_size * described.flip.vectors,
        detector=described.detector,
        flip=described.flip,
        calibration=described.calibration,
        tools={"facekit": __version__, **keras_tools()},
    )
    card = bound(card)
    path = folder / card.file_name
    write_atomically(path, content)
    self_test(graph.name, path, card, answers=answers_of(graph), reporter=reporter)
    write_atomically(path.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return InstalledModel(card, path)
