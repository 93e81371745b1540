"""Installed models written for other systems, and read back."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import ModelBuildError, ModelMismatchError, StorageError, UsageError
from facekit.graph.graph import Graph
from facekit.graph.read.formats import find_format
from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
from facekit.model.card import Quantization, read_card
from facekit.model.store import InstalledModel
from facekit.runtime.keras import KerasNet
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.training import keras_export
from facekit.training.start import graph_of_model
from facekit.types import Float32Array
from tests.networks.run_graph import answers
from tests.networks.tiny_training import SIDE_PX

pytestmark = [
    pytest.mark.tensorflow,
    # Keras's variables, as Keras itself writes them to HDF5
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def tiny(whole: Path) -> InstalledModel:
    """A model that `facekit train` left."""
    path = whole / "tiny_float32.tflite"
    return InstalledModel(read_card(path.with_suffix(".json")), path)


@pytest.fixture
def pictures() -> Float32Array:
    return np.random.default_rng(0).normal(size=(3, SIDE_PX, SIDE_PX, 3)).astype(np.float32)


@pytest.fixture
def wanted(tiny: InstalledModel, pictures: Float32Array) -> Float32Array:
    return unit_length(LiteRtNet(tiny.path).run(pictures)[0])


def test_a_keras_file_comes_back(
    tiny: InstalledModel, pictures: Float32Array, wanted: Float32Array, tmp_path: Path
) -> None:
    path = tmp_path / "a.keras"
    with pytest.MonkeyPatch.context() as patch:  # a net that was trained on noise
        patch.setattr(keras_export, "require_sound", lambda _: None)
        made, drift = keras_export.make_keras(tiny)
    assert drift.minimum > 1 - 1e-6
    path.write_bytes(made.content)
    read = find_format(path).read(path, size=None)
    np.testing.assert_allclose(unit_length(answers(read.graph, pictures)), wanted, atol=1e-5)
    assert (made.card.variant, made.card.file_name) == ("keras", "tiny_keras.keras")


def test_keras_runs_the_file_as_litert_its_own(
    tiny: InstalledModel, pictures: Float32Array, wanted: Float32Array, tmp_path: Path
) -> None:
    path = tmp_path / "a.keras"
    keras_export.keras_net(tiny).save(path)
    net = KerasNet(path)
    assert [one.shape for one in (*net.inputs, *net.outputs)] == [(-1, 16, 16, 3), (-1, 8)]
    for count in (0, 1, 3):
        (found,) = net.run(pictures[:count])
        assert found.shape == (count, 8)
        assert found.dtype == np.float32
        np.testing.assert_allclose(unit_length(found), wanted[:count], atol=1e-5)
    with pytest.raises(ValueError, match=r"needs float32 of shape \(N, 16, 16, 3\)"):
        net.run(pictures[:, 1:])


def test_a_keras_file_that_brings_code_is_refused(tiny: InstalledModel, tmp_path: Path) -> None:
    path, spoilt = tmp_path / "a.keras", tmp_path / "b.keras"
    keras_export.keras_net(tiny).save(path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(spoilt, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, content.replace(b'"keras.layers"', b'"mine.layers"'))
    with pytest.raises(ModelMismatchError, match=r"names mine\.layers, which is not Keras's"):
        KerasNet(spoilt)
    spoilt.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelMismatchError, match="is not a Keras model that Keras can run"):
        KerasNet(spoilt)


def test_a_saved_model_takes_any_batch(
    tiny: InstalledModel, pictures: Float32Array, wanted: Float32Array, tmp_path: Path
) -> None:
    import tensorflow as tf

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(StorageError, match="is no SavedModel: it is not replaced"):
        keras_export.saved_model(tiny, tmp_path / "mine")
    keras_export.saved_model(tiny, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    (answer,) = served.signatures["serving_default"](tf.constant(pictures)).values()
    np.testing.assert_allclose(unit_length(np.asarray(answer)), wanted, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "served"]


def test_another_net_is_not_facenet_pytorch_s(tiny: InstalledModel) -> None:
    with pytest.raises(
        ModelBuildError, match=r"facenet-pytorch has one network.*512 numbers: .* is "
    ):
        to_facenet_pytorch(graph_of_model(tiny))


def test_the_file_holds_the_default_model_s_kernels(
    facenet_file: Path, facenet: Graph, crops: Float32Array, tmp_path: Path
) -> None:
    """From the folded LiteRT file, whose layers are found by what they do."""
    model = InstalledModel(read_card(facenet_file.with_suffix(".json")), facenet_file)
    path = tmp_path / "a.pt"
    path.write_bytes(to_facenet_pytorch(graph_of_model(model)))
    read = find_format(path).read(path)
    ours, theirs = (unit_length(answers(graph, crops)) for graph in (read.graph, facenet))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_integers_are_not_taken_back(tiny: InstalledModel) -> None:
    card = replace(tiny.card, variant="int8", quantization=Quantization("static_wi8_ai8"))
    with pytest.raises(UsageError, match="A float32 file is needed"):
        graph_of_model(replace(tiny, card=card))
