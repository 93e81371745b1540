"""The graph against the paper's sizes, and against OpenCV running the original graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from facekit.model import registry
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array
from tests.networks.independent_nets import OpenCvFaceNet, cosines

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow

# facekit's graph with OpenCV 5.0 on the frozen graph: 1 - cosine is 5e-13 on random input.
LEAST_COSINE_TO_OPENCV = 0.999999
LEAST_COSINE_TO_KERAS = 0.99999


def test_parameter_count_is_the_published_one(scratch_facenet: keras.Model) -> None:
    assert scratch_facenet.count_params() == 23_497_424
    not_trained = scratch_facenet.non_trainable_variables
    assert sum(int(np.prod(variable.shape)) for variable in not_trained) == 29_600


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
def test_shapes_along_the_net(
    scratch_facenet: keras.Model, layer: str, shape: tuple[int, ...]
) -> None:
    assert scratch_facenet.get_layer(layer).output.shape == shape


def test_the_last_block_is_neither_scaled_nor_activated(scratch_facenet: keras.Model) -> None:
    names = [layer.name for layer in scratch_facenet.layers]
    assert [name for name in names if name.startswith("Block8_6_") and "Conv2d" not in name] == [
        "Block8_6_Concatenate",
        "Block8_6_Add",
    ]
    assert sum(name.endswith("_Scale") for name in names) == 20


def test_layer_names_do_not_depend_on_what_was_built_before(scratch_facenet: keras.Model) -> None:
    from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1

    smaller = inception_resnet_v1(embedding_size=128)
    assert [one.name for one in smaller.layers] == [one.name for one in scratch_facenet.layers]
    assert smaller.output.shape == (1, 128)


def test_embeds_as_opencv_does(
    facenet: keras.Model, frozen_graph: Path, crops: Float32Array
) -> None:
    theirs = OpenCvFaceNet(frozen_graph).embed(crops)
    ours = np.concatenate([facenet(crop[None]).numpy() for crop in crops])
    assert cosines(ours, theirs).min() >= LEAST_COSINE_TO_OPENCV
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    # Distinct faces, so that a net answering the same to all would not pass.
    assert cosines(ours[:1], ours[2:]).max() < 0.5


def test_the_file_embeds_as_the_graph_does(
    facenet: keras.Model, facenet_file: Path, crops: Float32Array
) -> None:
    ours = np.concatenate([facenet(crop[None]).numpy() for crop in crops])
    (from_file,) = LiteRtNet(facenet_file).run(crops)
    assert cosines(ours, from_file).min() >= LEAST_COSINE_TO_KERAS
    np.testing.assert_allclose(from_file, ours, atol=1e-4)


def test_batch_norms_and_scales_are_folded_in_the_file(facenet_file: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    net = Interpreter(model_path=str(facenet_file))
    operators = [one["op_name"] for one in net._get_ops_details()]
    assert operators.count("CONV_2D") == 132
    assert operators.count("MUL") == 0
    assert operators.count("ADD") == 21  # the residuals; a batch norm left over would be one more


def test_the_golden_input_is_scaled_by_the_card(facenet: keras.Model) -> None:
    from facekit.graph.probe import golden_outputs, pattern, probe

    entry = registry.entry("facenet512-casia")
    picture = probe("inception_resnet_v1", entry.card.input)
    np.testing.assert_array_equal(
        picture, (pattern(1, 160, 160).astype(np.float32) - 127.5) / np.float32(128)
    )
    golden = golden_outputs(entry.source.sha256, "inception_resnet_v1")
    assert golden is not None
    assert cosines(facenet(picture).numpy(), golden[0]).min() >= LEAST_COSINE_TO_OPENCV
    mirrored = np.ascontiguousarray(picture[:, :, ::-1])
    assert cosines(facenet(mirrored).numpy(), golden[0]).max() < 0.95
