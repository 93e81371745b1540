"""The graph against the paper's table 2 and the published sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from facekit.model.inspect import inspect_model

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow

PUBLISHED_PARAMETERS = 22.67e6
PUBLISHED_MACS = 1.75e9


@pytest.fixture(scope="module")
def net() -> keras.Model:
    from facekit.graph.nets.sphereface20 import sphereface20
    from facekit.system.keras_backend import keras

    keras.utils.set_random_seed(20)
    return sphereface20()


def test_parameters_and_macs_are_the_published_ones(net: keras.Model, tmp_path: Path) -> None:
    from facekit.graph.write.keras_litert import keras_to_litert

    assert net.count_params() == 22_670_656 == pytest.approx(PUBLISHED_PARAMETERS, rel=0.001)
    path = tmp_path / "sphereface20.tflite"
    path.write_bytes(keras_to_litert(net))
    macs = inspect_model(path).macs
    assert macs is not None
    assert macs.total == 1_749_737_472 == pytest.approx(PUBLISHED_MACS, rel=0.001)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("relu1_1", (1, 56, 48, 64)),
        ("res1_3", (1, 56, 48, 64)),
        ("conv2_1", (1, 28, 24, 128)),
        ("res2_5", (1, 28, 24, 128)),
        ("conv3_1", (1, 14, 12, 256)),
        ("res3_9", (1, 14, 12, 256)),
        ("conv4_1", (1, 7, 6, 512)),
        ("res4_3", (1, 7, 6, 512)),
        ("flatten5", (1, 21504)),
        ("fc5", (1, 512)),
    ],
)
def test_shapes_along_the_net(net: keras.Model, layer: str, shape: tuple[int, ...]) -> None:
    assert net.get_layer(layer).output.shape == shape


def test_twenty_convolutions_each_with_a_prelu_of_its_number(net: keras.Model) -> None:
    names = [layer.name for layer in net.layers]
    numbers = [name.removeprefix("conv") for name in names if name.startswith("conv")]
    assert len(numbers) == 20
    assert [name.removeprefix("relu") for name in names if name.startswith("relu")] == numbers


def test_layer_names_do_not_depend_on_what_was_built_before(net: keras.Model) -> None:
    from facekit.graph.nets.sphereface20 import sphereface20

    smaller = sphereface20(embedding_size=128)
    assert [one.name for one in smaller.layers] == [one.name for one in net.layers]
    assert smaller.output.shape == (1, 128)


def test_initial_weights_are_those_of_the_authors_net(net: keras.Model) -> None:
    strided, bias = net.get_layer("conv3_1").get_weights()
    residual = net.get_layer("conv3_2").get_weights()[0]
    # Caffe's "xavier" is uniform within sqrt(3 / fan-in); fan-in is 3 x 3 x 128.
    limit = np.sqrt(3 / (9 * 128))
    assert 0.99 * limit < np.abs(strided).max() <= limit
    assert residual.std() == pytest.approx(0.01, rel=0.01)
    assert not bias.any()
    assert (net.get_layer("relu3_1").get_weights()[0] == 0.25).all()


def test_a_strided_layer_looks_one_pixel_up_and_left(net: keras.Model) -> None:
    """Caffe's padding: output (0, 0) is centred on pixel (0, 0), so it sees pixel (1, 1) too."""
    layers = [net.get_layer(name) for name in ("pad1_1", "conv1_1")]
    kernel, _ = layers[1].get_weights()
    for pixel, seen_by in ((1, 2), (0, 1)):
        picture = np.zeros((1, 112, 96, 3), np.float32)
        picture[0, pixel, pixel, 0] = 1
        answer = np.asarray(layers[1](layers[0](picture)))
        np.testing.assert_allclose(answer[0, 0, 0], kernel[seen_by, seen_by, 0], atol=1e-7)
