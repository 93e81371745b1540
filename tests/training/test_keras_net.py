"""Models read back from their own .tflite files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.model.card import Quantisation, read_card
from facekit.model.store import InstalledModel
from facekit.types import Float32Array

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def model(facenet_file: Path) -> InstalledModel:
    return InstalledModel(read_card(facenet_file.with_suffix(".json")), facenet_file)


@pytest.fixture(scope="module")
def read_back(model: InstalledModel) -> keras.Model:
    from facekit.training.keras_net import keras_net

    return keras_net(model)


def test_the_default_model_embeds_as_its_file_does(
    read_back: keras.Model, model: InstalledModel, crops: Float32Array
) -> None:
    from facekit.runtime.litert import LiteRtNet

    file = LiteRtNet(model.path)
    for crop in crops:
        ours = np.asarray(read_back(crop[None]))
        np.testing.assert_allclose(ours, file.run(crop[None])[0], atol=1e-5)


def test_the_kernels_are_the_source_graphs_own(
    read_back: keras.Model, facenet: keras.Model
) -> None:
    """The default model's source had its batch norms folded already, so nothing may change."""
    wanted = {variable.path: variable.numpy() for variable in facenet.variables}
    for variable in read_back.variables:
        if not variable.path.startswith("Bottleneck"):
            difference = np.abs(variable.numpy() - wanted[variable.path]).max()
            assert difference <= 1e-6 * max(1.0, np.abs(wanted[variable.path]).max()), variable.path


def test_batch_norms_divide_by_one(read_back: keras.Model) -> None:
    for variable in read_back.variables:
        if variable.path.endswith("moving_variance"):
            np.testing.assert_allclose(variable.numpy() + np.float32(0.001), 1.0, rtol=1e-7)


def test_any_of_a_nets_layers_is_read_back(tmp_path: Path) -> None:
    """PReLU, padding of its own, a bias, a flattened picture: what SphereFace's nets have."""
    from facekit.graph.read.litert_steps import load_litert
    from facekit.graph.write.keras_litert import keras_to_litert

    net, again = _small_net(), _small_net()
    rng = np.random.default_rng(3)
    for variable in net.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape).astype(np.float32))
    path = tmp_path / "small.tflite"
    path.write_bytes(keras_to_litert(net))
    load_litert(again, path)
    picture = rng.normal(size=(1, 14, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(again(picture), net(picture), rtol=1e-5, atol=1e-5)
    assert {v.path: v.shape for v in again.variables} == {v.path: v.shape for v in net.variables}


def test_a_file_of_another_graph_names_what_differs(tmp_path: Path) -> None:
    from facekit.graph.read.litert_steps import load_litert
    from facekit.graph.write.keras_litert import keras_to_litert

    path = tmp_path / "small.tflite"
    path.write_bytes(keras_to_litert(_small_net()))
    with pytest.raises(
        ModelBuildError, match=r"second has .*kernel \(3, 3, 8, 9\).*\(3, 3, 8, 8\)"
    ):
        load_litert(_small_net(filters=9), path)
    with pytest.raises(ModelBuildError, match="of 6 numbers: head has"):
        load_litert(_small_net(units=6), path)
    with pytest.raises(ModelBuildError, match=r"pool is max pool, .*sum_1/Add is add"):
        load_litert(_small_net(pooled=True), path)


def test_integers_are_not_read_back(model: InstalledModel) -> None:
    from facekit.training.keras_net import keras_net

    card = replace(model.card, variant="int8", quantisation=Quantisation("static_wi8_ai8"))
    with pytest.raises(ModelBuildError, match="A float32 embedding model is needed"):
        keras_net(replace(model, card=card))


def test_an_unknown_graph_is_named(model: InstalledModel) -> None:
    from facekit.training.keras_net import keras_net

    card = replace(model.card, architecture="resnet-50")
    with pytest.raises(ModelBuildError, match="of the architecture resnet-50"):
        keras_net(replace(model, card=card))


def _small_net(*, filters: int = 8, units: int = 5, pooled: bool = False) -> keras.Model:
    from facekit.system.keras_backend import keras

    layers = keras.layers
    picture = keras.Input((14, 12, 3), batch_size=1, name="image")
    x = layers.ZeroPadding2D(1, name="pad")(picture)
    x = layers.Conv2D(8, 3, strides=2, name="first")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="first_slope")(x)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name="second")(x)
    y = layers.BatchNormalization(name="second_norm")(y)
    y = layers.PReLU(shared_axes=[1, 2], name="second_slope")(y)
    y = layers.Conv2D(8, 1, name="third")(y)
    y = layers.Rescaling(0.3, name="third_scale")(y)
    x = layers.Add(name="sum")([y, x])
    if pooled:
        x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Dense(units, name="head")(layers.Flatten(name="flat")(x))
    return keras.Model(picture, x, name="small")
