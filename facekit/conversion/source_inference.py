"""Runs a network's source file with the runtime of the file's format.

The outputs are compared with those of the converted file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from facekit.conversion.self_test import Inference
from facekit.enums import Runtime
from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Node
from facekit.graph.read.keras_archive import is_keras_model
from facekit.graph.read.litert import is_litert
from facekit.graph.read.onnx_file import is_onnx
from facekit.graph.write.onnx import to_onnx
from facekit.runtime.keras import KerasNet
from facekit.runtime.litert import LiteRtNet
from facekit.system.extras import is_installed, require
from facekit.types import Float32Array

_PROVIDERS = ["CPUExecutionProvider"]
_FATAL = 4  # ONNX Runtime's log level for fatal errors; other errors are also raised as exceptions


def require_source_runtime(path: Path) -> None:
    """Raises MissingExtraError if the runtime of the file's format is not installed."""
    if not is_litert(path):
        _onnx_runtime(path.name)


def source_inference(path: Path, graph: Graph) -> Inference:
    """Returns a function that runs the source file on images (N, H, W, 3) float32.

    The file is run by ONNX Runtime, LiteRT or Keras.  If `can_run_source` is false, ONNX Runtime
    runs `graph`, the graph that was read from the file, instead.  Raises ModelBuildError if ONNX
    Runtime rejects the file, MissingExtraError if ONNX Runtime is not installed, and the errors of
    LiteRtNet and KerasNet.
    """
    (image,) = graph.inputs
    if is_onnx(path):
        return _Onnx(path, image).run
    if is_litert(path):
        return _litert_inference(path, image)
    return KerasNet(path).run if can_run_source(path) else graph_inference(graph)


def can_run_source(path: Path) -> bool:
    """Returns whether `source_inference` runs the file itself.

    ONNX and LiteRT files are run, and a Keras model with the suffix .keras if Keras and TensorFlow
    are installed.  Files of all other formats cannot be run.
    """
    by_keras = path.suffix == Runtime.KERAS.suffix and all(
        map(is_installed, ("keras", "tensorflow"))
    )
    return (by_keras and is_keras_model(path)) or is_onnx(path) or is_litert(path)


def _litert_inference(path: Path, image_input: Node) -> Inference:
    net = LiteRtNet(path)
    # Channels last; a side may be open (-1), so that the channels alone are compared.
    if net.inputs[0].shape[3] == image_input.shape[3]:
        return net.run
    return lambda images: net.run(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def graph_inference(graph: Graph) -> Inference:
    """Returns a function that runs the graph by ONNX Runtime, with batch norms that are not folded.

    The function is the reference for a converted file if no other runtime can run the source.
    Raises MissingExtraError if onnx or ONNX Runtime is not installed.
    """
    runtime = _onnx_runtime(graph.name)
    options = _options(runtime)
    content = to_onnx(graph).model.SerializeToString()
    session = runtime.InferenceSession(content, options, providers=_PROVIDERS)
    (image,) = session.get_inputs()

    def run(images: Float32Array) -> Sequence[Float32Array]:
        answers: list[Float32Array] = session.run(None, {image.name: images})
        return answers

    return run


class _Onnx:
    def __init__(self, path: Path, image_input: Node) -> None:
        runtime = _onnx_runtime(path.name)
        self._path = path
        with _translate_errors(path):
            self._session = runtime.InferenceSession(
                str(path), _options(runtime), providers=_PROVIDERS
            )
        inputs = {item.name: item.shape for item in self._session.get_inputs()}
        self._name = image_input.name
        self._channels_first = inputs.pop(image_input.name)[1] == image_input.shape[3]
        # Quantizers leave unused inputs behind, with the names of weights that they replaced.
        self._unread = {
            name: np.zeros(_static_shape(shape), np.float32) for name, shape in inputs.items()
        }

    def run(self, images: Float32Array) -> Sequence[Float32Array]:
        if self._channels_first:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        with _translate_errors(self._path):
            answers = [
                self._session.run(None, {self._name: item[np.newaxis]} | self._unread)
                for item in images
            ]
        return [
            np.concatenate(item).reshape(len(images), -1) for item in zip(*answers, strict=True)
        ]


def _static_shape(shape: Sequence[Any]) -> list[int]:
    return [dimension if isinstance(dimension, int) else 1 for dimension in shape]


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise ModelBuildError(
            f"{path.name} was read, but ONNX Runtime cannot run it, so that what is made of it "
            f"cannot be checked: {' '.join(str(error).split())}"
        ) from error


def _options(runtime: Any) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, _FATAL
    return options


def _onnx_runtime(name: str) -> Any:
    return require("onnxruntime", extra="convert", needed_for=f"Checking what is made of {name}")
