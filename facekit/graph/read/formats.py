"""The file formats of networks and weights that `models import` accepts, with their readers.

A format is recognized by the content of the file, not by its name.  The first format in the table
that recognizes a file is used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Preprocessing
from facekit.errors import ModelBuildError
from facekit.graph.read.deepface_h5 import read_deepface
from facekit.graph.read.facenet_pb import is_graph, read_frozen_graph
from facekit.graph.read.facenet_pytorch import read_facenet_pytorch
from facekit.graph.read.hdf5 import is_hdf5
from facekit.graph.read.keras_archive import (
    is_keras_archive,
    is_keras_model,
    is_keras_weights,
    read_keras,
    read_keras_weights,
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
from facekit.system.trial import Died, limit_memory, limit_processor_time, try_each

_TRY = f"{__name__}:try_reading"
_LONGEST_S = 120.0
"""Seconds after which reading a file is given up, however busy the machine is."""
_PROCESSOR_S = 5.0
"""Processor time after which reading is given up, beside that for the file's size."""
_BYTES_A_S = 5e6
"""A tenth of what a slow board reads; a desktop reads 100 MB a second."""


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
        if not path.is_dir():
            _require_harmless(path)
        return _recognized(path)


def _recognized(path: Path) -> SourceFormat:
    # Only checkpoints are stored as folders.
    candidates = [FORMATS["tf-checkpoint"]] if path.is_dir() else FORMATS.values()
    found = next((candidate for candidate in candidates if candidate.recognizes(path)), None)
    if found is None:
        titles = ", ".join(source_format.title for source_format in FORMATS.values())
        raise ModelBuildError(
            f"{path} is in no format that facekit knows. Known: an archive of "
            f"`facekit models export`, {titles}."
        )
    return found


def _require_harmless(path: Path) -> None:
    """Reads a file in HDF5 or a .keras archive in another process.

    The HDF5 library trusts much of what is in a file, so that a damaged file may end the process
    that reads it.  Raises ModelBuildError if it does, or takes minutes.
    """
    if is_hdf5(path) or is_keras_archive(path):
        (answer,) = try_each(_TRY, [str(path)], longest_s=_LONGEST_S)
        if isinstance(answer, Died):
            raise ModelBuildError(
                f"{path} is not read: the process that tried to {answer.how}. It is damaged, "
                "or made to do harm."
            )


def try_reading(path: str) -> None:
    """Reads a file as the caller of `find_format` does, or as much of it as can be read."""
    limit_memory()
    limit_processor_time(_PROCESSOR_S + Path(path).stat().st_size / _BYTES_A_S)
    with suppress(Exception):
        found = _recognized(Path(path))
        found.read(Path(path), size=None) if found.whole_network else found.read(Path(path))
