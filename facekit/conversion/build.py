"""Source weights to model files with their cards: what `models build` does on a host."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facekit.conversion.self_test import self_test
from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.designs import new_net
from facekit.graph.nets.mtcnn import ONET_SIZE_PX, PNET_WINDOW_PX, RNET_SIZE_PX, onet, pnet, rnet
from facekit.graph.read.deepface_h5 import load_deepface_h5
from facekit.graph.read.mtcnn_wheel import load_mtcnn, read_wheel
from facekit.graph.read.tf_graph import load_folded_frozen_graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Task, bound
from facekit.model.registry import RegistryEntry, WeightsFormat
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import write_atomically
from facekit.system.keras_backend import keras, tf
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

    Every file is run as it will be run later, and must answer a known picture as the Keras graph
    does and, for weights that golden.json knows, as other implementations did.

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
        self_test(graph, model_path, card, reporter=reporter)
        write_atomically(card_path, card.to_json().encode())
        written += [model_path, card_path]
    return written


def _graphs(entry: RegistryEntry, source: Path) -> list[keras.Model]:
    """The entry's nets with their weights."""
    if entry.weights_format is WeightsFormat.MTCNN_WHEEL:
        arrays = read_wheel(source, sha256=entry.source.sha256)
        nets = [pnet(), rnet(), onet()]
        for net in nets:
            load_mtcnn(net, arrays[net.name])
        return nets
    net = new_net(
        Architecture(entry.architecture),
        input_spec=entry.card.input,
        embedding_size=entry.card.embedding_size // entry.card.flip.vectors,
    )
    if entry.weights_format is WeightsFormat.FOLDED_FROZEN_GRAPH:
        load_folded_frozen_graph(net, source)
    else:
        load_deepface_h5(net, source)
    return [net]


def _card(entry: RegistryEntry, net: str, content: bytes) -> Card:
    """The card of one net's file; a detector's nets are its variants."""
    is_detector = entry.task is Task.DETECTION
    variant = net if is_detector else DEFAULT_VARIANT
    card = Card(
        name=entry.name,
        variant=variant,
        task=entry.task,
        architecture=f"{entry.architecture}-{net}" if is_detector else entry.architecture,
        file_name=f"{entry.name}_{variant}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=entry.source,
        input=_input(entry, net),
        crop=entry.card.crop,
        embedding_size=entry.card.embedding_size,
        flip=entry.card.flip,
        calibration=_calibration(entry, variant),
        tools={"facekit": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    )
    return card if is_detector else bound(card)


def _calibration(entry: RegistryEntry, variant: str) -> Calibration:
    """What facekit measured, else what the source published.

    The self-test holds the embeddings to those of the measured file within 1e-5, whatever
    TensorFlow wrote the file, so the measured thresholds hold for it.
    """
    shipped = shipped_calibration(entry.name, variant)
    return entry.card.calibration if shipped is None else shipped.calibration


def _input(entry: RegistryEntry, net: str) -> InputSpec:
    if net not in _WINDOWS_PX:
        return entry.card.input
    return replace(entry.card.input, height_px=_WINDOWS_PX[net], width_px=_WINDOWS_PX[net])
