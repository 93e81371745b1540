"""The graph against the paper's table 2 and the published sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.enums import Architecture
from facekit.graph.graph import Graph, Node
from facekit.graph.names import keras_layer_name
from facekit.graph.nets.designs import DESIGNS
from facekit.graph.write.litert import to_litert
from facekit.model.inspect import inspect_model
from facekit.runtime.litert import LiteRtNet

PUBLISHED_PARAMETERS = 22.67e6
PUBLISHED_MACS = 1.75e9


@pytest.fixture(scope="module")
def net() -> Graph:
    return DESIGNS[Architecture.SPHEREFACE20].untrained(embedding_size=512, seed=20)


def layers(net: Graph) -> dict[str, Node]:
    return {keras_layer_name(node): node for node in net.nodes}


def test_parameters_and_macs_are_the_published_ones(net: Graph, tmp_path: Path) -> None:
    count = sum(weight.size for node in net.nodes for weight in node.weights.values())
    assert count == 22_670_656 == pytest.approx(PUBLISHED_PARAMETERS, rel=0.001)
    path = tmp_path / "sphereface20.tflite"
    path.write_bytes(to_litert(net))
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
def test_shapes_along_the_net(net: Graph, layer: str, shape: tuple[int, ...]) -> None:
    assert layers(net)[layer].shape == shape


def test_twenty_convolutions_each_with_a_prelu_of_its_number(net: Graph) -> None:
    names = [keras_layer_name(node) for node in net.nodes]
    numbers = [name.removeprefix("conv") for name in names if name.startswith("conv")]
    assert len(numbers) == 20
    assert [name.removeprefix("relu") for name in names if name.startswith("relu")] == numbers


def test_initial_weights_are_those_of_the_authors_net(net: Graph) -> None:
    strided, residual = (layers(net)[name].weights for name in ("conv3_1", "conv3_2"))
    # Caffe's "xavier" is uniform within sqrt(3 / fan-in); fan-in is 3 x 3 x 128.
    limit = np.sqrt(3 / (9 * 128))
    assert 0.99 * limit < np.abs(strided["kernel"]).max() <= limit
    assert residual["kernel"].std() == pytest.approx(0.01, rel=0.01)
    assert not strided["bias"].any()
    assert (layers(net)["relu3_1"].weights["slope"] == 0.25).all()


def test_a_strided_layer_looks_one_pixel_up_and_left(net: Graph, tmp_path: Path) -> None:
    """Caffe's padding: output (0, 0) is centered on pixel (0, 0), so it sees pixel (1, 1) too."""
    first = layers(net)["conv1_1"]
    path = tmp_path / "first.tflite"
    path.write_bytes(to_litert(Graph("first", (first,))))
    for pixel, seen_by in ((1, 2), (0, 1)):
        picture = np.zeros((1, 112, 96, 3), np.float32)
        picture[0, pixel, pixel, 0] = 1
        (answer,) = LiteRtNet(path).run(picture)
        wanted = first.weights["kernel"][seen_by, seen_by, 0]
        np.testing.assert_allclose(answer[0, 0, 0], wanted, atol=1e-7)
