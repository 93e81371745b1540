"""Checkpoints in deepface's naming, written here by a table of their own."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.names import keras_layer_name
from facekit.graph.read.deepface_h5 import _our_name, read_deepface, read_variables

# deepface/models/facial_recognition/Facenet.py: our layer name -> the name it has there.
RENAMED = {
    **{
        f"Block17_{k}_Branch_1_{conv}": f"Block17_{k}_Branch_{k}_{conv}"
        for k in range(1, 11)
        for conv in ("Conv2d_0a_1x1", "Conv2d_0b_1x7", "Conv2d_0c_7x1")
    },
    **{
        f"Block8_{k}_Branch_1_{conv}": f"Block8_{k}_Branch_{k}_{conv}"
        for k in range(1, 6)
        for conv in ("Conv2d_0a_1x1", "Conv2d_0b_1x3", "Conv2d_0c_3x1")
    },
}


def write_checkpoint(graph: Graph, path: Path, *, renamed: dict[str, str] = RENAMED) -> None:
    """As Keras 2's save_weights wrote it: /layer/layer/variable:0, layers without variables too."""
    leaves = {"mean": "moving_mean", "variance": "moving_variance"}
    with h5py.File(path, "w") as file:
        for node in graph.nodes:
            layer = keras_layer_name(node)
            convolution = layer.removesuffix("_BatchNorm")
            name = layer.replace(convolution, renamed.get(convolution, convolution))
            group = file.create_group(name)
            for role, weight in node.weights.items():
                if role not in ("gamma", "constant"):
                    group[f"{name}/{leaves.get(role, role)}:0"] = weight


@pytest.fixture(scope="module")
def checkpoint(facenet: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deepface") / "facenet512_weights.h5"
    write_checkpoint(facenet, path)
    return path


@pytest.mark.parametrize("renamed", [RENAMED, {}], ids=["deepface's names", "Branch_1 throughout"])
def test_the_weights_come_back(facenet: Graph, tmp_path: Path, renamed: dict[str, str]) -> None:
    write_checkpoint(facenet, tmp_path / "weights.h5", renamed=renamed)
    read = read_deepface(tmp_path / "weights.h5")
    assert read.ignored == ()
    for ours, theirs in zip(read.graph.nodes, facenet.nodes, strict=True):
        assert (ours.name, ours.shape, ours.window) == (theirs.name, theirs.shape, theirs.window)
        for role, weight in ours.weights.items():
            np.testing.assert_array_equal(weight, theirs.weights[role])


def test_a_missing_variable_is_named(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    path.write_bytes(checkpoint.read_bytes())
    with h5py.File(path, "a") as file:
        del file["Block8_3_Branch_3_Conv2d_0a_1x1"]
    message = r"cut\.h5 lacks the tensor Block8_3_Branch_1_Conv2d_0a_1x1/kernel"
    with pytest.raises(ModelBuildError, match=message):
        read_deepface(path)


def test_two_names_for_one_layer_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.h5"
    path.write_bytes(checkpoint.read_bytes())
    with h5py.File(path, "a") as file:
        file["Block17_4_Branch_1_Conv2d_0a_1x1/kernel:0"] = np.zeros(1, np.float32)
    message = "holds Block17_4_Branch_1_Conv2d_0a_1x1/kernel twice"
    with pytest.raises(ModelBuildError, match=message):
        read_variables(path)


def test_a_first_branch_is_never_taken_for_the_second() -> None:
    for untouched in (
        "Block17_10_Branch_0_Conv2d_1x1",
        "Block35_2_Branch_2_Conv2d_0a_1x1",
        "Block8_6_Branch_1_Conv2d_0a_1x1",
        "Block17_1_Branch_10_Conv2d_0a_1x1",
    ):
        assert _our_name(f"{untouched}/{untouched}/kernel:0") == f"{untouched}/kernel"


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"<html>404</html>"])
def test_what_is_no_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(ModelBuildError, match=r"weights\.h5 cannot be read as an HDF5 file"):
        read_deepface(path)
