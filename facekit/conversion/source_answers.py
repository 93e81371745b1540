"""What a network's own file answers, run by the system that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from facekit.conversion.self_test import Answers
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
_FATAL = 4  # of ONNX Runtime's severities: what it says of a file stands in the exception, too


def require_source_runtime(path: Path) -> None:
    """Raises MissingExtraError where the file's own system is not installed."""
    if is_onnx(path) or is_keras_model(path):
        _onnx_runtime(path.name)


def source_answers(path: Path, graph: Graph) -> Answers:
    """By ONNX Runtime, LiteRT, or Keras, for pictures with channels last, (N, H, W, 3) float32.

    `graph`: the file as it was read, which ONNX Runtime runs in place of a Keras model where Keras
    is not installed or does not know the file by its name.
    Raises ModelBuildError where that system refuses the file, MissingExtraError.
    """
    (picture,) = graph.inputs
    if is_onnx(path):
        return _Onnx(path, picture).run
    if is_litert(path):
        return _litert_answers(path, picture)
    return KerasNet(path).run if is_run_itself(path) else graph_answers(graph)


def is_run_itself(path: Path) -> bool:
    """Whether `source_answers` runs the file, not the graph that was read from it."""
    by_keras = path.suffix == Runtime.KERAS.suffix and all(
        map(is_installed, ("keras", "tensorflow"))
    )
    return by_keras or not is_keras_model(path)


def _litert_answers(path: Path, picture: Node) -> Answers:
    net = LiteRtNet(path)
    if net.inputs[0].shape[1:] == picture.shape[1:]:
        return net.run
    return lambda pictures: net.run(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def graph_answers(graph: Graph) -> Answers:
    """By ONNX Runtime on the graph itself, batch norms unfolded: what a file that is made of it
    is compared with where no other system can run its source.

    Raises MissingExtraError without onnx or ONNX Runtime.
    """
    runtime = _onnx_runtime(graph.name)
    options = _options(runtime)
    content = to_onnx(graph).model.SerializeToString()
    session = runtime.InferenceSession(content, options, providers=_PROVIDERS)
    (picture,) = session.get_inputs()

    def run(pictures: Float32Array) -> Sequence[Float32Array]:
        answers: list[Float32Array] = session.run(None, {picture.name: pictures})
        return answers

    return run


class _Onnx:
    def __init__(self, path: Path, picture: Node) -> None:
        runtime = _onnx_runtime(path.name)
        self._path = path
        with _translated(path):
            self._session = runtime.InferenceSession(
                str(path), _options(runtime), providers=_PROVIDERS
            )
        inputs = {one.name: one.shape for one in self._session.get_inputs()}
        self._name = picture.name
        self._channels_first = inputs.pop(picture.name)[1] == picture.shape[3]
        # Quantizers leave the names of weights that they replaced, and nothing reads them.
        self._unread = {name: np.zeros(_known(shape), np.float32) for name, shape in inputs.items()}

    def run(self, pictures: Float32Array) -> Sequence[Float32Array]:
        if self._channels_first:
            pictures = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        with _translated(self._path):
            answers = [
                self._session.run(None, {self._name: one[np.newaxis]} | self._unread)
                for one in pictures
            ]
        return [
            np.concatenate(one).reshape(len(pictures), -1) for one in zip(*answers, strict=True)
        ]


def _known(shape: Sequence[Any]) -> list[int]:
    return [side if isinstance(side, int) else 1 for side in shape]


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime's errors have no base of their own
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
