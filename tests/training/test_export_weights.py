"""Installed models written for other systems, and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import ModelBuildError, StorageError
from facekit.graph.graph import Graph
from facekit.graph.read.formats import format_of
from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
from facekit.model.card import Quantisation, read_card
from facekit.model.store import InstalledModel
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.training.keras_export import keras_file, saved_model
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
    keras_file(tiny, tmp_path / "a.keras")
    read = format_of(tmp_path / "a.keras").read(tmp_path / "a.keras", size=None)
    np.testing.assert_allclose(unit_length(answers(read.graph, pictures)), wanted, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]


def test_a_saved_model_takes_any_batch(
    tiny: InstalledModel, pictures: Float32Array, wanted: Float32Array, tmp_path: Path
) -> None:
    import tensorflow as tf

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(StorageError, match="is no SavedModel: it is not replaced"):
        saved_model(tiny, tmp_path / "mine")
    saved_model(tiny, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    (answer,) = served.signatures["serving_default"](tf.constant(pictures)).values()
    np.testing.assert_allclose(unit_length(np.asarray(answer)), wanted, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "served"]


def test_another_net_is_not_facenet_pytorch_s(tiny: InstalledModel) -> None:
    with pytest.raises(ModelBuildError, match=r"facenet-pytorch has one net.*512 numbers: .* is "):
        to_facenet_pytorch(graph_of_model(tiny))


def test_the_file_holds_the_default_model_s_kernels(
    facenet_file: Path, facenet: Graph, crops: Float32Array, tmp_path: Path
) -> None:
    """From the folded LiteRT file, whose layers are found by what they do."""
    model = InstalledModel(read_card(facenet_file.with_suffix(".json")), facenet_file)
    path = tmp_path / "a.pt"
    path.write_bytes(to_facenet_pytorch(graph_of_model(model)))
    read = format_of(path).read(path)
    ours, theirs = (unit_length(answers(graph, crops)) for graph in (read.graph, facenet))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_integers_are_not_taken_back(tiny: InstalledModel) -> None:
    card = replace(tiny.card, variant="int8", quantisation=Quantisation("static_wi8_ai8"))
    with pytest.raises(ModelBuildError, match="A float32 embedding model is needed"):
        graph_of_model(replace(tiny, card=card))
