"""Checkpoints in deepface's naming, written here by a table of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow

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


def write_checkpoint(net: keras.Model, path: Path, *, renamed: dict[str, str] = RENAMED) -> None:
    """As Keras 2's save_weights wrote it: /layer/layer/variable:0, layers without variables too."""
    with h5py.File(path, "w") as file:
        for layer in net.layers:
            convolution = layer.name.removesuffix("_BatchNorm")
            name = layer.name.replace(convolution, renamed.get(convolution, convolution))
            group = file.create_group(name)
            for variable in layer.variables:
                group[f"{name}/{variable.name}:0"] = variable.numpy()


@pytest.fixture(scope="module")
def checkpoint(facenet: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deepface") / "facenet512_weights.h5"
    write_checkpoint(facenet, path)
    return path


@pytest.mark.parametrize("renamed", [RENAMED, {}], ids=["deepface's names", "Branch_1 throughout"])
def test_round_trip_embeds_alike(
    facenet: keras.Model,
    scratch_facenet: keras.Model,
    crops: Float32Array,
    tmp_path: Path,
    renamed: dict[str, str],
) -> None:
    from facekit.graph.read.deepface_h5 import load_deepface_h5

    for variable in scratch_facenet.variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    write_checkpoint(facenet, tmp_path / "weights.h5", renamed=renamed)
    load_deepface_h5(scratch_facenet, tmp_path / "weights.h5")
    np.testing.assert_array_equal(scratch_facenet(crops[:1]).numpy(), facenet(crops[:1]).numpy())


def test_a_missing_variable_is_named(
    scratch_facenet: keras.Model, checkpoint: Path, tmp_path: Path
) -> None:
    from facekit.graph.read.deepface_h5 import load_deepface_h5

    path = tmp_path / "cut.h5"
    path.write_bytes(checkpoint.read_bytes())
    with h5py.File(path, "a") as file:
        del file["Block8_3_Branch_3_Conv2d_0a_1x1"]
    message = r"cut\.h5 lacks the tensors Block8_3_Branch_1_Conv2d_0a_1x1/kernel"
    with pytest.raises(ModelBuildError, match=message):
        load_deepface_h5(scratch_facenet, path)


def test_two_names_for_one_layer_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    from facekit.graph.read.deepface_h5 import read_variables

    path = tmp_path / "twice.h5"
    path.write_bytes(checkpoint.read_bytes())
    with h5py.File(path, "a") as file:
        file["Block17_4_Branch_1_Conv2d_0a_1x1/kernel:0"] = np.zeros(1, np.float32)
    message = "holds Block17_4_Branch_1_Conv2d_0a_1x1/kernel twice"
    with pytest.raises(ModelBuildError, match=message):
        read_variables(path)


def test_a_first_branch_is_never_taken_for_the_second() -> None:
    from facekit.graph.read.deepface_h5 import _our_name

    for untouched in (
        "Block17_10_Branch_0_Conv2d_1x1",
        "Block35_2_Branch_2_Conv2d_0a_1x1",
        "Block8_6_Branch_1_Conv2d_0a_1x1",
        "Block17_1_Branch_10_Conv2d_0a_1x1",
    ):
        assert _our_name(f"{untouched}/{untouched}/kernel:0") == f"{untouched}/kernel"


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"<html>404</html>"])
def test_what_is_no_hdf5_is_refused(
    scratch_facenet: keras.Model, tmp_path: Path, content: bytes
) -> None:
    from facekit.graph.read.deepface_h5 import load_deepface_h5

    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(ModelBuildError, match=r"weights\.h5 is not an HDF5 file"):
        load_deepface_h5(scratch_facenet, path)
