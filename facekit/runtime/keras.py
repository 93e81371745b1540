"""Runs a .keras file with Keras through the `Net` protocol that the pipeline uses.

The purpose is to compare a trained model with the files converted from it.  Keras is an optional
package, imported when the first such file is opened.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import AcceleratorError, FacekitError, ModelMismatchError
from facekit.runtime.interpreter import require_model_file
from facekit.runtime.net import (
    DYNAMIC,
    TensorSpec,
    empty_outputs,
    require_batch,
    require_single_input,
)
from facekit.system.native_output import captured

_MAX_CROPS_PER_CALL = 4
"""The largest number of crops per call.  Larger batches are not faster, but need more memory."""

_CHATTER = re.compile(
    rb"[IWE]\d{4} |WARNING: All log messages before|To enable the following|\d{4}-\d\d-\d\d "
)
"""The beginnings of TensorFlow's log lines on machines without a GPU."""


class KerasNet:
    """A loaded .keras file with one float32 input.  Implements `Net`.

    Only Keras's own layers are loaded.  A file that contains or names other code is refused.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Loads Keras, which takes seconds, and the file.

        `threads` has no effect if TensorFlow has already been started in this process.  Raises
        AcceleratorError if Keras with TensorFlow is not installed, ModelMissingError or
        StorageError if the file cannot be read, and ModelMismatchError if the file is not a Keras
        model or names other code than Keras's layers.
        """
        require_model_file(path)
        keras, tf = _packages(path)
        with suppress(RuntimeError):  # TensorFlow already runs: too late
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self._path = path
        with _translate_errors(path):
            _require_keras_layers(path)
            with captured(_is_chatter):
                net = keras.saving.load_model(path, compile=False, safe_mode=True)
            inputs = [_spec(tensor, path) for tensor in net.inputs]
            self._outputs = tuple(_spec(tensor, path) for tensor in net.outputs)
        self._input = require_single_input(inputs, path)
        shape = [None if dimension == DYNAMIC else dimension for dimension in self._input.shape]
        # One trace serves any batch size: Keras's own predict traces anew for each size.
        self._call = tf.function(
            lambda images: keras.tree.flatten(net(images, training=False)),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (self._input,)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Returns every output as float32 (N, ...) for a float32 batch (N, ...).  N may be 0.

        Raises ValueError if the batch is not float32 or does not have the shape of the file's
        input, and ModelMismatchError if Keras cannot run the model.
        """
        require_batch(batch, self._input, name=self._path.name)
        if len(batch) == 0:
            return empty_outputs(self._outputs)
        step = _MAX_CROPS_PER_CALL if self._input.shape[0] == DYNAMIC else 1
        with _translate_errors(self._path):
            parts = [
                [np.array(output) for output in self._call(batch[start : start + step])]
                for start in range(0, len(batch), step)
            ]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))


def _is_chatter(line: bytes) -> bool:
    return _CHATTER.match(line) is not None


def _packages(path: Path) -> tuple[Any, Any]:
    try:
        with captured(_is_chatter):
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()  # searches for GPUs, with log lines if there is none
    except ImportError as error:
        raise AcceleratorError(
            f"{path.name} is run by Keras with TensorFlow, which cannot be imported: {error}. "
            "Install them with: python -m pip install 'facekit-cli[train]'; or leave --runtime "
            "away for the model's LiteRT file."
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise AcceleratorError(
            f"Keras runs on {keras.backend.backend()} here. Unset KERAS_BACKEND, or set it to "
            "tensorflow."
        )
    return keras, tf


def _require_keras_layers(path: Path) -> None:
    """Raises ModelMismatchError if the file refers to a module that is not Keras's."""
    with zipfile.ZipFile(path) as archive:
        pending = [json.loads(archive.read("config.json"))]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            module = item.get("module")
            if module is not None and str(module).partition(".")[0] not in ("keras", "builtins"):
                raise ModelMismatchError(f"{path} names {module}, which is not Keras's: refused.")
            pending += item.values()
        elif isinstance(item, list):
            pending += item


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Translates the exceptions of Keras about the model at `path` into a ModelMismatchError."""
    try:
        yield
    except FacekitError:
        raise
    except Exception as error:  # Keras and TensorFlow raise exceptions without a common base class
        message = " ".join(str(error).split())
        raise ModelMismatchError(
            f"{path} is not a Keras model that Keras can run, or is damaged: {message}. Export it "
            "again, or copy it again from where it came."
        ) from error


def _spec(tensor: Any, path: Path) -> TensorSpec:
    if tensor.dtype != "float32":
        raise ModelMismatchError(
            f"{path}: tensor {tensor.name} must be float32. Received: {tensor.dtype}"
        )
    shape = tuple(DYNAMIC if dimension is None else int(dimension) for dimension in tensor.shape)
    return TensorSpec(name=tensor.name, shape=shape, dtype="float32")
