"""An installed float32 model for other systems: Keras, TensorFlow's SavedModel, facenet-pytorch.

Each takes the model back into its Keras graph (training/keras_net.py) and lands as a whole: what
was there before stays until the new file is complete.  Nothing is run that a file brought.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facekit.enums import Architecture
from facekit.errors import ModelBuildError, StorageError
from facekit.graph.read.facenet_pytorch import state_dict_arrays
from facekit.model.store import InstalledModel
from facekit.system.extras import require
from facekit.system.files import write_atomically
from facekit.system.keras_backend import keras
from facekit.system.native_output import captured_output
from facekit.training.keras_net import keras_net

FACENET_PYTORCH_SIZE = 512
"""the only embedding that facenet-pytorch's graph has"""


def keras_file(model: InstalledModel, path: Path) -> None:
    """A .keras file of facekit's graph with an open batch: (N, height, width, 3) float32 in the
    card's scaling -> (N, embedding size) float32, not of unit length.

    `path` must end in .keras.  Raises ModelBuildError, StorageError.
    """
    net = open_batch(keras_net(model))
    with _beside(path) as folder:
        partial = folder / "model.keras"  # Keras goes by the ending
        with captured_output():
            net.save(partial)
        _replace(partial, path)


def saved_model(model: InstalledModel, folder: Path) -> None:
    """A SavedModel folder, which TensorFlow Serving and tf2onnx read; input and output as in
    `keras_file`, under the signature "serving_default".

    A folder that is there already is replaced, if it is a SavedModel.
    Raises ModelBuildError, StorageError.
    """
    if folder.exists() and not (folder / "saved_model.pb").is_file():
        raise StorageError(f"{folder} is there and is no SavedModel: it is not replaced.")
    net = open_batch(keras_net(model))
    with _beside(folder) as beside:
        partial = beside / "model"
        with captured_output():
            net.export(partial, format="tf_saved_model", verbose=False)
        if folder.exists():
            folder.rename(beside / "earlier")
        _replace(partial, folder)


def facenet_pytorch_file(model: InstalledModel, path: Path) -> None:
    """A state_dict that facenet-pytorch's InceptionResnetV1() loads, without a classifier.

    Raises ModelBuildError for another graph or embedding size, MissingExtraError without
    PyTorch, StorageError.
    """
    card = model.card
    wanted = Architecture.INCEPTION_RESNET_V1.value
    if card.architecture != wanted or card.embedding_size != FACENET_PYTORCH_SIZE:
        raise ModelBuildError(
            f"facenet-pytorch has one graph, {wanted} with {FACENET_PYTORCH_SIZE} numbers. "
            f"Received: {card.name}, {card.architecture} with {card.embedding_size}."
        )
    torch = require("torch", extra="torch", needed_for=f"Writing {path.name}")
    arrays = state_dict_arrays(keras_net(model))
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, content)
    write_atomically(path, content.getvalue())


def open_batch(net: keras.Model) -> keras.Model:
    """The same net, with the same weights, for any number of pictures at once."""
    _, *shape = net.input_shape
    picture = keras.Input(shape, name=net.inputs[0].name)
    opened = keras.models.clone_model(net, input_tensors=picture)
    opened.set_weights(net.get_weights())
    return opened


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder on the file system of `path`, gone afterwards.  Translates OSError."""
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
    for file in files:  # until this returns, a power cut could leave the name without the bytes
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    partial.replace(path)
