"""Provides the weights that a run begins with: initial ones, a model's, or another toolkit's.

The batch norms in a model's file are folded.  The source file that the model was converted from
still has its batch norms with their statistics, so that training continues where the other toolkit
ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facekit.conversion.import_weights import default_input, source_sha256
from facekit.conversion.quantize.quantized_model import require_float32
from facekit.enums import Architecture, Flip
from facekit.errors import ModelError, UsageError
from facekit.graph.graph import Graph
from facekit.graph.nets.designs import DESIGNS, Design
from facekit.graph.read.formats import find_format
from facekit.graph.read.litert import read_litert_graph
from facekit.model import store
from facekit.model.card import Card, Task
from facekit.model.store import CARD_SUFFIX, InstalledModel, find
from facekit.model.variants import MODEL_SUFFIXES
from facekit.reporter import SILENT, Reporter
from facekit.training.config import TrainConfig
from facekit.types import CropSpec, InputSpec


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class Start:
    """The net that a run begins with, and the net's input and crop."""

    graph: Graph
    architecture: str
    input: InputSpec
    crop: CropSpec
    flip: Flip
    title: str = ""
    """Title of the weights for the new model's card; "" for initial weights."""

    @property
    def is_fresh(self) -> bool:
        return not self.title


def start_of(
    name_or_path: str | None,
    config: TrainConfig,
    *,
    designs: Mapping[Architecture, Design] = DESIGNS,
    reporter: Reporter = SILENT,
) -> Start:
    """Reads the named model or file, or creates initial weights by `config` if the name is None.

    `designs` maps each architecture to its network design.
    Raises ModelMissingError if there is no such model, ModelMismatchError or ModelBuildError if a
    file does not fit, and UsageError if the model is not a float32 embedding net, or if the
    preprocessing of a file is not known.
    """
    if name_or_path is None:
        design = designs[config.architecture]
        graph = design.untrained(embedding_size=config.embedding_size, seed=config.seed)
        architecture = config.architecture.value
        return Start(graph, architecture, design.input, design.crop, design.flip)
    if is_source_file(name_or_path):
        return _of_file(Path(name_or_path), reporter)
    model = find(name_or_path)
    return _as_card_says(graph_of_model(model), model.card, f"sha256 {model.card.file_sha256}")


def is_source_file(name_or_path: str) -> bool:
    """Returns whether the name is that of a source file, i.e. not that of a model.

    A source file is an existing file without a card beside it, or the folder of a checkpoint.
    """
    path = Path(name_or_path)
    has_card = path.suffix in MODEL_SUFFIXES and path.with_suffix(CARD_SUFFIX).exists()
    return path.exists() and path.suffix != CARD_SUFFIX and not has_card


def graph_of_model(model: InstalledModel) -> Graph:
    """Returns the graph of the model's file.

    Raises UsageError if the model is not a float32 embedding model, and ModelBuildError if the file
    cannot be read.
    """
    require_float32(model)
    return read_litert_graph(model.path, name=model.card.name)


def _of_file(path: Path, reporter: Reporter) -> Start:
    """Reads a file of weights.

    If a stored model was imported from this file, the result has the input and the crop of the
    stored model.  Otherwise the result has the input and the crop of the weights' authors.
    """
    found = find_format(path)
    read = found.read(path, size=None) if found.whole_network else found.read(path)
    sha256 = source_sha256(path)
    for name in store.stored_names():
        try:
            card = find(name).card
        except ModelError:  # a broken model is no reason not to train another
            continue
        if card.source.sha256 == sha256 and card.task is Task.EMBEDDING:
            reporter.note(
                f"{path.name} is the file that {name} was made of: it gets the same input"
            )
            return _as_card_says(read.graph, card, f"{path.name}, sha256 {sha256}")
    if read.architecture is None:
        raise UsageError(
            f"Nothing tells how {path.name} is fed. Import it first, which asks for that: "
            f"facekit models import {path} --as NAME"
        )
    design = DESIGNS[read.architecture]
    return Start(
        read.graph,
        read.architecture.value,
        default_input(found, read.architecture),
        design.crop,
        design.flip,
        f"{path.name} (sha256 {sha256})",
    )


def _as_card_says(graph: Graph, card: Card, origin: str) -> Start:
    assert card.crop is not None  # an embedding card always has one
    title = f"{card.name}:{card.variant} ({origin})"
    return Start(graph, card.architecture, card.input, card.crop, card.flip, title)
