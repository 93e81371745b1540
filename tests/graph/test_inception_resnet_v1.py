"""The graph against the paper's sizes, and against OpenCV running the original graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.enums import Architecture
from facekit.graph.graph import Graph, Operation
from facekit.graph.names import keras_layer_name
from facekit.graph.nets.designs import DESIGNS
from facekit.graph.probe import golden_outputs, pattern, probe
from facekit.model import registry
from facekit.model.inspect import inspect_model
from facekit.types import Float32Array
from tests.networks.independent_nets import OpenCvFaceNet, cosines
from tests.networks.run_graph import answers

# facekit's graph with OpenCV 5.0 on the frozen graph: 1 - cosine is 5e-13 on random input.
LEAST_COSINE_TO_OPENCV = 0.999999


def test_parameter_count_is_the_published_one(facenet: Graph) -> None:
    sizes = {
        (node.name, role): weight.size
        for node in facenet.nodes
        for role, weight in node.weights.items()
        if node.operation is not Operation.MULTIPLY  # the residual scales are constants
    }
    assert sum(sizes.values()) == 23_497_424
    not_trained = [size for (_, role), size in sizes.items() if role in ("mean", "variance")]
    assert sum(not_trained) == 29_600


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("Conv2d_1a_3x3", (1, 79, 79, 32)),
        ("MaxPool_3a_3x3", (1, 38, 38, 64)),
        ("Conv2d_4b_3x3", (1, 17, 17, 256)),
        ("Block35_5_Activation", (1, 17, 17, 256)),
        ("Mixed_6a", (1, 8, 8, 896)),
        ("Block17_10_Activation", (1, 8, 8, 896)),
        ("Mixed_7a", (1, 3, 3, 1792)),
        ("Block8_6_Add", (1, 3, 3, 1792)),
        ("AvgPool", (1, 1792)),
        ("Bottleneck_BatchNorm", (1, 512)),
    ],
)
def test_shapes_along_the_net(facenet: Graph, layer: str, shape: tuple[int, ...]) -> None:
    assert {keras_layer_name(node): node.shape for node in facenet.nodes}[layer] == shape


def test_the_last_block_is_neither_scaled_nor_activated(facenet: Graph) -> None:
    names = [keras_layer_name(node) for node in facenet.nodes]
    assert [name for name in names if name.startswith("Block8_6_") and "Conv2d" not in name] == [
        "Block8_6_Concatenate",
        "Block8_6_Add",
    ]
    assert sum(name.endswith("_Scale") for name in names) == 20


def test_fresh_weights_are_uniform_by_the_fans_and_the_same_for_a_seed(facenet: Graph) -> None:
    fresh, again = (
        DESIGNS[Architecture.INCEPTION_RESNET_V1].untrained(embedding_size=128, seed=3)
        for _ in "ab"
    )
    assert [node.name for node in fresh.nodes] == [node.name for node in facenet.nodes]
    assert fresh.outputs[0].shape == (1, 128)
    kernels = {
        node.name: node.weights["kernel"]
        for node in fresh.nodes
        if node.weights.get("kernel") is not None
    }
    kernel = kernels["Conv2d_2b_3x3/Conv2D"]
    limit = np.sqrt(6 / (9 * (32 + 64)))  # Glorot and Bengio 2010, equation 16
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    for one, other in zip(fresh.nodes, again.nodes, strict=True):
        assert all((one.weights[role] == other.weights[role]).all() for role in one.weights)


def test_embeds_as_opencv_does(facenet: Graph, frozen_graph: Path, crops: Float32Array) -> None:
    theirs = OpenCvFaceNet(frozen_graph).embed(crops)
    ours = answers(facenet, crops)
    assert cosines(ours, theirs).min() >= LEAST_COSINE_TO_OPENCV
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    # Distinct faces, so that a net answering the same to all would not pass.
    assert cosines(ours[:1], ours[2:]).max() < 0.5


def test_batch_norms_and_scales_are_folded_in_the_file(facenet_file: Path) -> None:
    operators = inspect_model(facenet_file).histogram
    assert operators["CONV_2D"] == 132
    assert operators.get("MUL", 0) == 0
    assert operators["ADD"] == 21  # the residuals; a batch norm left over would be one more


def test_the_golden_input_is_scaled_by_the_card(facenet: Graph) -> None:
    entry = registry.entry("facenet512-casia")
    picture = probe("inception_resnet_v1", entry.card.input)
    np.testing.assert_array_equal(
        picture, (pattern(1, 160, 160).astype(np.float32) - 127.5) / np.float32(128)
    )
    golden = golden_outputs(entry.source.sha256, "inception_resnet_v1")
    assert golden is not None
    mirrored = np.ascontiguousarray(picture[:, :, ::-1])
    ours = answers(facenet, np.concatenate([picture, mirrored]))
    assert cosines(ours[:1], golden[0]).min() >= LEAST_COSINE_TO_OPENCV
    assert cosines(ours[1:], golden[0]).max() < 0.95
