"""The weights inside the mtcnn package's wheel, into our three nets.

They lie there as joblib files, and joblib reads pickles, which can run any code.  This is the
one place in facekit that opens one.  It happens when a model is built, never when it is used,
and only after the wheel has been found to be, bit for bit, the one that was looked at.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from facekit.errors import ModelBuildError
from facekit.graph.weights import Take, port
from facekit.system.extras import require
from facekit.system.keras_backend import keras
from facekit.types import Float32Array

_MEMBER = "mtcnn/assets/weights/{net}.lz4"


def read_wheel(path: Path, *, sha256: str) -> dict[str, list[Float32Array]]:
    """The arrays of "pnet", "rnet" and "onet", in the order the package stores them.

    Raises ModelBuildError for a wheel of another sha256, before anything in it is opened.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelBuildError(
            f"{path.name} is not the wheel that facekit knows: sha256 {sha256} needed, "
            f"received {found}. Its weights are pickles and are not opened."
        )
    joblib = require("joblib", extra="host", needed_for="Building mtcnn")
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        return {
            net: joblib.load(io.BytesIO(wheel.read(_MEMBER.format(net=net))))
            for net in ("pnet", "rnet", "onet")
        }


def load_mtcnn(model: keras.Model, arrays: Sequence[Float32Array]) -> None:
    """Fills `pnet`, `rnet` or `onet`.  Raises ModelBuildError naming variable or array.

    The package stores each net's variables from input to output, as our graphs list them.
    """
    source = {f"{model.name}.lz4[{index}]": array for index, array in enumerate(arrays)}
    changes = {
        f"{layer.name.replace('flatten', 'dense')}/kernel": partial(
            _rows_first, shape=layer.input.shape[1:]
        )
        for layer in model.layers
        if isinstance(layer, keras.layers.Flatten)
    }
    rules = {
        variable.path: Take(f"{model.name}.lz4[{index}]", changes.get(variable.path))
        for index, variable in enumerate(model.variables)
    }
    port(model, source, rules, origin="The mtcnn wheel")


def _rows_first(kernel: Float32Array, *, shape: tuple[int, int, int]) -> Float32Array:
    """A dense kernel's inputs from (x, y, channel) order, as in MATLAB's training, to (y, x, ...).

    kernel: (height * width * channels, units), shape: (height, width, channels).
    """
    height, width, channels = shape
    by_row: Float32Array = kernel.reshape(width, height, channels, -1).swapaxes(0, 1)
    return by_row.reshape(kernel.shape)
