"""The file formats of networks and weights that `models import` accepts, with their readers.

A format is recognized by the content of the file, not by its name.  The first format in the table
that recognizes a file is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Preprocessing
from facekit.errors import ModelBuildError
from facekit.graph.read.deepface_h5 import read_deepface
from facekit.graph.read.facenet_pb import is_graph, read_frozen_graph
from facekit.graph.read.facenet_pytorch import read_facenet_pytorch
from facekit.graph.read.hdf5 import is_hdf5
from facekit.graph.read.keras_archive import (
    is_keras_model,
    is_keras_weights,
    read_keras,
    read_keras_weights,
    require_harmless,
)
from facekit.graph.read.litert import is_litert, read_litert_graph
from facekit.graph.read.network import ImportedNetwork
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
from facekit.graph.weights import WEIGHTS
from facekit.system.inputs import reading


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """One file format."""

    title: str
    recognizes: Callable[[Path], bool]
    """Returns whether a file has this format, by its content; damaged content raises no error."""
    read: Callable[..., ImportedNetwork]
    """Reads a file into a network.

    If `whole_network` is true, the function is called with `size`, the (height, width) for a file
    whose input size is dynamic, or None.  The function raises ModelBuildError, which names the file
    and the tensor or node at fault.
    """
    whole_network: bool = False
    """Whether the file describes the operations, so that it may hold any network, not only weights.
    """
    preprocessing: Preprocessing | None = None
    """The authors' preprocessing, used if the user states none.  None means the network's default.
    """


def _read_onnx(path: Path, *, size: tuple[int, int] | None) -> ImportedNetwork:
    return ImportedNetwork(read_onnx_graph(path, name=path.stem, size=size))


def _read_keras(path: Path, *, size: tuple[int, int] | None) -> ImportedNetwork:
    return read_keras(path)


def _read_litert(path: Path, *, size: tuple[int, int] | None) -> ImportedNetwork:
    return ImportedNetwork(read_litert_graph(path, name=path.stem))


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


def find_format(path: Path) -> SourceFormat:
    """Returns the format of a file, or of a checkpoint's folder.

    Raises ModelBuildError if the path does not exist, no format recognizes it, or a process that
    reads it as HDF5 ends by it.
    """
    with reading(WEIGHTS, path):
        is_folder = path.is_dir()  # only checkpoints are stored as folders
        if not is_folder:
            require_harmless(path)
        candidates = [FORMATS["tf-checkpoint"]] if is_folder else FORMATS.values()
        matches = [source_format for source_format in candidates if source_format.recognizes(path)]
    if not matches:
        titles = ", ".join(source_format.title for source_format in FORMATS.values())
        raise ModelBuildError(
            f"{path} is in no format that facekit knows. Known: an archive of "
            f"`facekit models export`, {titles}."
        )
    return matches[0]
