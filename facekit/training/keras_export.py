"""Writes an installed float32 model as a Keras file or as a SavedModel folder.

The file or folder is written under a temporary name beside its final path and then renamed.  An
existing file or folder is therefore kept until the new one is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from facekit.conversion.drift import DRIFT_CROPS, DRIFT_SEED, Drift, measure_drift, require_sound
from facekit.conversion.onnx import carried_calibration
from facekit.conversion.quantize.quantized_model import ModelFile
from facekit.conversion.shipped_faces import shipped_crops
from facekit.errors import StorageError
from facekit.graph.probe import probe, require_same_answer
from facekit.model.card import bound
from facekit.model.store import InstalledModel
from facekit.model.variants import KERAS_VARIANT, file_name
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet
from facekit.system.native_output import captured_output
from facekit.training.backend import keras, tf
from facekit.training.keras_graph import to_keras
from facekit.training.start import graph_of_model
from facekit.version import __version__


def make_keras(model: InstalledModel, *, reporter: Reporter = SILENT) -> tuple[ModelFile, Drift]:
    """Writes a .keras file of the model's net and returns it with its card.

    The net maps (N, height, width, 3) float32, scaled as the card states, to raw embeddings (N,
    embedding size) float32, which do not have unit length, for any N.  The returned drift compares
    the net's embeddings with those of the LiteRT file, on the faces that ship with facekit.
    Raises ModelBuildError if the net's embeddings do not distinguish faces, StorageError if a file
    cannot be read, and the errors of `keras_net`.
    """
    net = keras_net(model)
    with tempfile.TemporaryDirectory(prefix="facekit-export-") as folder:
        path = Path(folder) / file_name(model.card.name, KERAS_VARIANT)
        with captured_output():
            net.save(path)
        content = path.read_bytes()
        card = replace(
            model.card,
            variant=KERAS_VARIANT,
            file_name=path.name,
            file_sha256=hashlib.sha256(content).hexdigest(),
            file_size_bytes=len(content),
            tools={
                **model.card.tools,
                "facekit": __version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
        )
        crops = shipped_crops(card, count=DRIFT_CROPS, seed=DRIFT_SEED)
        drift = measure_drift(model, InstalledModel(card, path), crops, reporter=reporter)
    require_sound(drift)
    measured = replace(card, calibration=carried_calibration(model.card, card, drift))
    return ModelFile(bound(measured), content), drift


def saved_model(model: InstalledModel, folder: Path) -> None:
    """Writes a SavedModel folder, which TensorFlow Serving and tf2onnx read.

    Input and output are as in `make_keras`, under the signature "serving_default".  An existing
    folder is replaced if it is a SavedModel.  Raises StorageError if another folder exists or the
    folder cannot be written, and the errors of `keras_net`.
    """
    if folder.exists() and not (folder / "saved_model.pb").is_file():
        raise StorageError(f"{folder} is there and is no SavedModel: it is not replaced.")
    net = keras_net(model)
    with _beside(folder) as beside:
        partial = beside / "model"
        with captured_output():
            net.export(partial, format="tf_saved_model", verbose=False)
        if folder.exists():
            folder.rename(beside / "earlier")
        _replace(partial, folder)


def keras_net(model: InstalledModel) -> keras.Model:
    """Returns the net of the model's file, with batch norms folded, for any batch size.

    The net's unit-length embedding of a fixed test input equals the file's within 1e-5.  Raises
    UsageError if the model is not a float32 embedding model, and ModelBuildError if the embeddings
    differ, or if Keras has no layer for a node, which the message names.
    """
    net = to_keras(graph_of_model(model))
    picture = probe(net.name, model.card.input)
    require_same_answer(
        np.asarray(net(picture)), LiteRtNet(model.path).run(picture)[0], model.path.name
    )
    return net


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path`.  Raises StorageError for OSErrors in the block."""
    folder: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        yield folder
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _replace(partial: Path, path: Path) -> None:
    files = [partial] if partial.is_file() else [one for one in partial.rglob("*") if one.is_file()]
    for file in files:  # otherwise a power cut could leave an empty file
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    partial.replace(path)
