"""Installed models written for other systems, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError, StorageError
from facekit.model.card import read_card
from facekit.model.store import InstalledModel
from facekit.template.match import unit_length
from facekit.types import Float32Array

if TYPE_CHECKING:
    import keras

pytestmark = [
    pytest.mark.tensorflow,
    # Keras's variables, as Keras itself writes them to HDF5
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def model(facenet_file: Path) -> InstalledModel:
    return InstalledModel(read_card(facenet_file.with_suffix(".json")), facenet_file)


@pytest.fixture
def wanted(facenet: keras.Model, crops: Float32Array) -> Any:
    return unit_length(np.concatenate([np.asarray(facenet(crop[None])) for crop in crops]))


def test_keras_and_facenet_pytorch_files_come_back(
    model: InstalledModel,
    scratch_facenet: keras.Model,
    crops: Float32Array,
    wanted: Float32Array,
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch")
    from facekit.graph.read.formats import format_of
    from facekit.training.keras_export import facenet_pytorch_file, keras_file

    keras_file(model, tmp_path / "a.keras")
    facenet_pytorch_file(model, tmp_path / "a.pt")
    for path in (tmp_path / "a.keras", tmp_path / "a.pt"):
        for variable in scratch_facenet.variables:
            variable.assign(np.zeros(variable.shape, np.float32))
        format_of(path).read(path).fill(scratch_facenet)
        for crop, one in zip(crops, wanted, strict=True):
            ours = unit_length(np.asarray(scratch_facenet(crop[None])))[0]
            np.testing.assert_allclose(ours, one, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "a.pt"]


def test_a_saved_model_takes_any_batch(
    model: InstalledModel, crops: Float32Array, wanted: Float32Array, tmp_path: Path
) -> None:
    import tensorflow as tf

    from facekit.training.keras_export import saved_model

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(StorageError, match="is no SavedModel: it is not replaced"):
        saved_model(model, tmp_path / "mine")
    saved_model(model, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    (answer,) = served.signatures["serving_default"](tf.constant(crops)).values()
    np.testing.assert_allclose(unit_length(np.asarray(answer)), wanted, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "served"]


def test_facenet_pytorch_has_one_size(model: InstalledModel, tmp_path: Path) -> None:
    from dataclasses import replace

    from facekit.template.calibration import Calibration
    from facekit.training.keras_export import facenet_pytorch_file

    card = replace(model.card, embedding_size=128, calibration=Calibration())
    with pytest.raises(ModelBuildError, match=r"with 512 numbers. Received: .* with 128"):
        facenet_pytorch_file(replace(model, card=card), tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())
