"""Source weights to model files with their cards: what `models build` does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.self_test import self_test
from facekit.conversion.source_answers import graph_answers
from facekit.errors import ModelBuildError
from facekit.graph.fold import split_input_scaling
from facekit.graph.graph import Graph
from facekit.graph.nets import inception_resnet_v1
from facekit.graph.nets.mtcnn import ONET_SIZE_PX, PNET_WINDOW_PX, RNET_SIZE_PX
from facekit.graph.probe import golden_outputs
from facekit.graph.read.deepface_h5 import read_deepface
from facekit.graph.read.mtcnn_wheel import read_mtcnn_wheel
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.read.tf_graph import read_tf_graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Task, bound
from facekit.model.registry import RegistryEntry, WeightsFormat
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import write_atomically
from facekit.template.calibration import Calibration
from facekit.types import InputSpec
from facekit.version import __version__

_WINDOWS_PX = {"pnet": PNET_WINDOW_PX, "rnet": RNET_SIZE_PX, "onet": ONET_SIZE_PX}


def build_files(
    entry: RegistryEntry,
    sources: Sequence[Path],
    into: Path,
    *,
    reporter: Reporter = SILENT,
) -> list[Path]:
    """Builds the model, tests it, and returns the files written: each model, then its card.

    `sources`: the one file of weights, already fetched and found to have its sha256.
    `into`: an empty folder, which the caller puts in place afterwards, or drops on an error.
    `reporter` is told what happens, a line at a time.

    Every file is run as it will be run later, and must answer a known picture as other
    implementations did; see `self_test`.

    Raises ModelBuildError: weights that do not fit the graph, a failed conversion or test.
    """
    if len(sources) != 1:
        raise ModelBuildError(f"{entry.name} is built from one file. Received: {len(sources)}.")
    reporter.note(f"reading {sources[0].name}")
    written = []
    for graph in _graphs(entry, sources[0]):
        reporter.note(f"converting {graph.name} to LiteRT")
        content = to_litert(graph)
        card = _card(entry, graph.name, content)
        model_path = into / card.file_name
        card_path = model_path.with_suffix(CARD_SUFFIX)
        write_atomically(model_path, content)
        answers = None if golden_outputs(entry.source.sha256, graph.name) else graph_answers(graph)
        self_test(graph.name, model_path, card, answers=answers, reporter=reporter)
        write_atomically(card_path, card.to_json().encode())
        written += [model_path, card_path]
    return written


def _graphs(entry: RegistryEntry, source: Path) -> Iterator[Graph]:
    """The entry's nets with their weights."""
    if entry.weights_format is WeightsFormat.MTCNN_WHEEL:
        yield from read_mtcnn_wheel(source, sha256=entry.source.sha256)
        return
    if entry.weights_format is WeightsFormat.FOLDED_FROZEN_GRAPH:
        graph = read_tf_graph(source, name=inception_resnet_v1.NAME)
    elif entry.weights_format is WeightsFormat.ONNX:
        is_detector = entry.task is Task.DETECTION
        graph = read_onnx_graph(source, name=entry.name, any_size=is_detector)
        graph = _scaled_as_card_says(graph, entry)
    else:
        graph = read_deepface(source).graph
    if entry.task is Task.EMBEDDING:
        _require_card_fits(graph, entry)
    yield graph


def _scaled_as_card_says(graph: Graph, entry: RegistryEntry) -> Graph:
    """Without the scaling of pixels that it begins with: that is the card's, as for every model."""
    network, scaling = split_input_scaling(graph)
    said = (entry.card.input.mean, entry.card.input.std)
    if scaling is not None and scaling != said:
        raise ModelBuildError(
            f"{graph.name} subtracts {scaling[0]:g} from pixels and divides them by "
            f"{scaling[1]:g}. Received: {said[0]:g} and {said[1]:g}."
        )
    return network


def _require_card_fits(graph: Graph, entry: RegistryEntry) -> None:
    (picture,), (embedding,) = graph.inputs, graph.outputs
    _, height, width, _ = picture.shape
    said, numbers = entry.card.input, entry.card.embedding_size // entry.card.flip.vectors
    if (height, width) != (said.height_px, said.width_px):
        raise ModelBuildError(
            f"{graph.name} is built for {height} x {width} pixels. "
            f"Received: {said.height_px} x {said.width_px}."
        )
    if embedding.shape != (1, numbers):
        raise ModelBuildError(
            f"{graph.name} must give {numbers} numbers. Received: shape {embedding.shape}."
        )


def _card(entry: RegistryEntry, net: str, content: bytes) -> Card:
    """The card of one net's file; where there are several, they are the variants."""
    is_one_of_several = net in entry.variants
    variant = net if is_one_of_several else DEFAULT_VARIANT
    card = Card(
        name=entry.name,
        variant=variant,
        task=entry.task,
        architecture=f"{entry.architecture}-{net}" if is_one_of_several else entry.architecture,
        file_name=f"{entry.name}_{variant}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=entry.source,
        input=_input(entry, net),
        crop=entry.card.crop,
        embedding_size=entry.card.embedding_size,
        detector=entry.card.detector,
        flip=entry.card.flip,
        calibration=_calibration(entry, variant),
        tools={"facekit": __version__, "flatbuffers": version("flatbuffers")},
    )
    return bound(card)


def _calibration(entry: RegistryEntry, variant: str) -> Calibration:
    """What facekit measured, else what the source published.

    The bytes are those of the measured file.
    """
    shipped = shipped_calibration(entry.name, variant)
    return entry.card.calibration if shipped is None else shipped.calibration


def _input(entry: RegistryEntry, net: str) -> InputSpec:
    if net not in _WINDOWS_PX:
        return entry.card.input
    return replace(entry.card.input, height_px=_WINDOWS_PX[net], width_px=_WINDOWS_PX[net])
