"""Builds model files with their cards from source weights, for `models build`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.self_test import self_test
from facekit.conversion.source_inference import graph_inference
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
from facekit.graph.read.tfjs_model import read_tfjs
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
    """Builds and tests the model, and returns the paths of its files.

    The paths are those of each model file, followed by its card.  `sources` must hold the source
    files of the entry's format, mostly one, whose SHA-256 the caller has verified.  `into` is an
    empty folder, which the caller renames after success, or removes after an error.  `reporter`
    receives one line per step.

    Each built file is run by LiteRT on a test image.  The outputs must agree with stored reference
    outputs or, if there are none for these weights, with those of the source graph (`self_test`).

    Raises ModelBuildError if `sources` has another number of files, if weights do not fit the
    graph, or if a conversion or test fails, and StorageError if a file cannot be written.
    """
    if len(sources) != (count := entry.weights_format.source_count):
        raise ModelBuildError(
            f"{entry.name} is built from {count} source file(s). Received: {len(sources)}."
        )
    reporter.note(f"reading {sources[0].name}")
    written = []
    for graph in _graphs(entry, sources):
        reporter.note(f"converting {graph.name} to LiteRT")
        content = to_litert(graph)
        card = _card(entry, graph.name, content)
        model_path = into / card.file_name
        card_path = model_path.with_suffix(CARD_SUFFIX)
        write_atomically(model_path, content)
        answers = (
            None if golden_outputs(entry.source.sha256, graph.name) else graph_inference(graph)
        )
        self_test(graph.name, model_path, card, run_source=answers, reporter=reporter)
        write_atomically(card_path, card.to_json().encode())
        written += [model_path, card_path]
    return written


def _graphs(entry: RegistryEntry, sources: Sequence[Path]) -> Iterator[Graph]:
    """Yields the entry's networks with their weights."""
    source = sources[0]
    if entry.weights_format is WeightsFormat.MTCNN_WHEEL:
        yield from read_mtcnn_wheel(source, sha256=entry.source.sha256)
        return
    if entry.weights_format is WeightsFormat.FOLDED_FROZEN_GRAPH:
        graph = read_tf_graph(source, name=inception_resnet_v1.NAME)
    elif entry.weights_format is WeightsFormat.ONNX:
        is_detector = entry.task is Task.DETECTION
        graph = read_onnx_graph(source, name=entry.name, any_size=is_detector)
        graph = _without_card_scaling(graph, entry)
    elif entry.weights_format is WeightsFormat.TFJS:
        graph = read_tfjs(sources[1], source, name=entry.name)
    else:
        graph = read_deepface(source).graph
    if entry.task is Task.EMBEDDING:
        _require_card_fits(graph, entry)
    yield graph


def _without_card_scaling(graph: Graph, entry: RegistryEntry) -> Graph:
    """Returns the graph without its initial scaling of pixels.

    facekit scales pixels as the card states.  Raises ModelBuildError if the graph scales otherwise.
    """
    network, scaling = split_input_scaling(graph)
    card_scaling = (entry.card.input.mean, entry.card.input.std)
    if scaling is not None and scaling != card_scaling:
        raise ModelBuildError(
            f"{graph.name} subtracts {scaling[0]:g} from pixels and divides them by "
            f"{scaling[1]:g}. Received: {card_scaling[0]:g} and {card_scaling[1]:g}."
        )
    return network


def _require_card_fits(graph: Graph, entry: RegistryEntry) -> None:
    (image,), (embedding,) = graph.inputs, graph.outputs
    _, height, width, _ = image.shape
    card_input, size = entry.card.input, entry.card.embedding_size // entry.card.flip.vectors
    if (height, width) != (card_input.height_px, card_input.width_px):
        raise ModelBuildError(
            f"{graph.name} is built for {height} x {width} pixels. "
            f"Received: {card_input.height_px} x {card_input.width_px}."
        )
    if embedding.shape != (1, size):
        raise ModelBuildError(
            f"{graph.name} must give {size} numbers. Received: shape {embedding.shape}."
        )


def _card(entry: RegistryEntry, net: str, content: bytes) -> Card:
    """Returns the card for `content`, the model file of the network called `net`.

    If an entry has several networks, each network is a variant of the model.
    """
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
        pad=entry.card.pad,
    )
    return bound(card)


def _calibration(entry: RegistryEntry, variant: str) -> Calibration:
    """Returns the calibration that facekit ships, or else the calibration in the registry entry."""
    shipped = shipped_calibration(entry.name, variant)
    return entry.card.calibration if shipped is None else shipped.calibration


def _input(entry: RegistryEntry, net: str) -> InputSpec:
    if net not in _WINDOWS_PX:
        return entry.card.input
    return replace(entry.card.input, height_px=_WINDOWS_PX[net], width_px=_WINDOWS_PX[net])
