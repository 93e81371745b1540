"""The formats of weights that `models import` takes: one table, a row for each reader.

A file is known by what is in it, whatever it is called; the first row that knows it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Preprocessing
from facekit.errors import ModelBuildError
from facekit.graph.read.deepface_h5 import is_hdf5, read_deepface
from facekit.graph.read.facenet_pb import is_graph, read_frozen_graph
from facekit.graph.read.facenet_pytorch import read_facenet_pytorch
from facekit.graph.read.keras_archive import (
    is_keras_model,
    is_keras_weights,
    read_keras,
    read_keras_weights,
)
from facekit.graph.read.litert import is_litert, read_litert_graph
from facekit.graph.read.network import ReadNetwork
from facekit.graph.read.onnx_file import is_onnx
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.read.sphereface import (
    is_sphereface_caffe,
    is_sphereface_pytorch,
    read_sphereface_caffe,
    read_sphereface_pytorch,
)
from facekit.graph.read.tf_checkpoint import is_checkpoint, read_checkpoint
from facekit.graph.read.torch_file import is_torch_file


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """One format."""

    title: str
    recognizes: Callable[[Path], bool]
    """by content; asked for files that exist, and must not raise for any"""
    read: Callable[..., ReadNetwork]
    """a file to its network; where it holds one as a whole, with `size`, (height, width) for a
    file that leaves its picture's sides open, else None.  Raises ModelBuildError naming the file
    and the tensor or node that is wrong"""
    whole_network: bool = False
    """whether the file itself says what is computed, so that it may be any network"""
    preprocessing: Preprocessing | None = None
    """how its authors feed the net, where the user does not say; None: as the net's own do"""


def _read_onnx(path: Path, *, size: tuple[int, int] | None) -> ReadNetwork:
    return ReadNetwork(read_onnx_graph(path, name=path.stem, size=size))


def _read_keras(path: Path, *, size: tuple[int, int] | None) -> ReadNetwork:
    return read_keras(path)


def _read_litert(path: Path, *, size: tuple[int, int] | None) -> ReadNetwork:
    return ReadNetwork(read_litert_graph(path, name=path.stem))


FORMATS: dict[str, SourceFormat] = {
    "tf-checkpoint": SourceFormat(
        "TensorFlow 1 checkpoint of facenet", is_checkpoint, read_checkpoint
    ),
    "keras": SourceFormat("Keras model", is_keras_model, _read_keras, whole_network=True),
    "keras-weights": SourceFormat("Keras weights", is_keras_weights, read_keras_weights),
    "deepface-h5": SourceFormat(
        "deepface's HDF5 weights",
        is_hdf5,
        read_deepface,
        preprocessing=Preprocessing.DEEPFACE,
    ),
    "sphereface-pytorch": SourceFormat(
        "sphereface_pytorch's state_dict", is_sphereface_pytorch, read_sphereface_pytorch
    ),
    "facenet-pytorch": SourceFormat(
        "facenet-pytorch's state_dict", is_torch_file, read_facenet_pytorch
    ),
    "litert": SourceFormat("LiteRT model", is_litert, _read_litert, whole_network=True),
    "onnx": SourceFormat("ONNX model", is_onnx, _read_onnx, whole_network=True),
    "sphereface-caffe": SourceFormat(
        "SphereFace's Caffe model", is_sphereface_caffe, read_sphereface_caffe
    ),
    "frozen-graph": SourceFormat("frozen TensorFlow graph of facenet", is_graph, read_frozen_graph),
}


def format_of(path: Path) -> SourceFormat:
    """The format that the file, or a checkpoint's folder, is in.

    Raises ModelBuildError for a path that is not there or that no row knows.
    """
    try:
        folder = path.is_dir()  # which only checkpoints are kept in
        asked = [FORMATS["tf-checkpoint"]] if folder else FORMATS.values()
        found = [one for one in asked if one.recognizes(path)]
    except OSError as error:
        raise ModelBuildError(f"{path} cannot be read: {error.strerror}.") from error
    if not found:
        raise ModelBuildError(
            f"{path} is in no format that facekit knows. Known: an archive of "
            f"`facekit models export`, {', '.join(one.title for one in FORMATS.values())}."
        )
    return found[0]
