"""A network in a .keras file, run by Keras, behind the protocol that stages know.

For comparing what was trained with what was made of it; the package is optional, and imported when
the first such file is opened.
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
from facekit.runtime.net import DYNAMIC, TensorSpec, only_input, outputs_of_nothing, require_batch
from facekit.system.native_output import captured

_PER_CALL = 4
"""crops, as of ONNX Runtime: more are no faster, and take memory"""

_CHATTER = re.compile(
    rb"[IWE]\d{4} |WARNING: All log messages before|To enable the following|\d{4}-\d\d-\d\d "
)
"""what TensorFlow says of every machine without a GPU"""


class KerasNet:
    """One loaded .keras file with one float32 input.  Implements `Net`.

    Only layers of Keras's own are loaded: code that a file brings or names is refused.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Loads Keras, which takes seconds, and the file.

        `threads`: TensorFlow's, as far as nothing in this process has started it before.
        Raises AcceleratorError where Keras with TensorFlow is not installed, ModelMissingError,
        StorageError, ModelMismatchError.
        """
        require_model_file(path)
        keras, tf = _packages(path)
        with suppress(RuntimeError):  # it has been started: its threads stay as they are
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self._path = path
        with _translated(path):
            _require_own_layers(path)
            with captured(_is_chatter):
                net = keras.saving.load_model(path, compile=False, safe_mode=True)
            inputs = [_spec(one, path) for one in net.inputs]
            self._outputs = tuple(_spec(one, path) for one in net.outputs)
        self._input = only_input(inputs, path)
        shape = [None if side == DYNAMIC else side for side in self._input.shape]
        # One trace for any batch: Keras's own predict makes a new one for each size.
        self._call = tf.function(
            lambda pictures: keras.tree.flatten(net(pictures, training=False)),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (self._input,)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """(N, ...) float32 -> every output as float32 (N, ...); N = 0 is legal.

        Raises ValueError for a batch of another shape or dtype than the file's input.
        """
        require_batch(batch, self._input, name=self._path.name)
        if len(batch) == 0:
            return outputs_of_nothing(self._outputs)
        step = _PER_CALL if self._input.shape[0] == DYNAMIC else 1
        with _translated(self._path):
            parts = [
                [np.array(one) for one in self._call(batch[start : start + step])]
                for start in range(0, len(batch), step)
            ]
        return tuple(np.concatenate(one) for one in zip(*parts, strict=True))


def _is_chatter(line: bytes) -> bool:
    return _CHATTER.match(line) is not None


def _packages(path: Path) -> tuple[Any, Any]:
    try:
        with captured(_is_chatter):
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs, and complains where there is none
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


def _require_own_layers(path: Path) -> None:
    """Raises ModelMismatchError for a file that names anything that is not Keras's."""
    with zipfile.ZipFile(path) as archive:
        pending = [json.loads(archive.read("config.json"))]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            module = one.get("module")
            if module is not None and str(module).partition(".")[0] not in ("keras", "builtins"):
                raise ModelMismatchError(f"{path} names {module}, which is not Keras's: refused.")
            pending += one.values()
        elif isinstance(one, list):
            pending += one


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turns what Keras raises about the model at `path` into facekit's errors."""
    try:
        yield
    except FacekitError:
        raise
    except Exception as error:  # Keras and TensorFlow each raise their own, of many bases
        said = " ".join(str(error).split())
        raise ModelMismatchError(
            f"{path} is not a Keras model that Keras can run, or is damaged: {said}. Export it "
            "again, or copy it again from where it came."
        ) from error


def _spec(tensor: Any, path: Path) -> TensorSpec:
    if tensor.dtype != "float32":
        raise ModelMismatchError(
            f"{path}: tensor {tensor.name} must be float32. Received: {tensor.dtype}"
        )
    shape = tuple(DYNAMIC if side is None else int(side) for side in tensor.shape)
    return TensorSpec(name=tensor.name, shape=shape, dtype="float32")
