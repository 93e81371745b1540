"""Graphs as Keras models and back: the same answers, weights and statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.enums import Preprocessing
from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import Graph, Node, Operation
from facekit.graph.nets.sphereface20 import initial
from facekit.graph.read.formats import find_format
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.weights import FreshWeights
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.types import Float32Array
from tests.networks.run_graph import answers, require_equal
from tests.networks.tiny_training import tiny_net
from tests.told import Told

pytestmark = [
    pytest.mark.tensorflow,
    # Keras's variables, as Keras itself writes them to HDF5
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

RANDOM = np.random.default_rng(3)


def numbers(*shape: int, least: float = -0.7, most: float = 0.7) -> Float32Array:
    return np.asarray(RANDOM.uniform(least, most, shape), np.float32)


def norm(x: Node, name: str, *, gamma: bool) -> Node:
    channels = x.shape[-1]
    return operations.batch_norm(
        x,
        name,
        gamma=numbers(channels, least=0.5, most=1.5) if gamma else None,
        beta=numbers(channels),
        mean=numbers(channels),
        variance=numbers(channels, least=0.5, most=2),
        epsilon=1e-3,
    )


def mobile() -> Graph:
    """Depthwise and grouped convolutions, PReLU, pads of PyTorch's, and a batch norm that
    precedes a convolution, as MobileFaceNets and IResNets have them."""
    x = operations.graph_input("data", (1, 14, 12, 3))
    x = operations.convolution(x, numbers(3, 3, 3, 8), "c1", stride=(2, 2), pads=(1, 1, 1, 1))
    x = operations.prelu(norm(x, "n1", gamma=True), numbers(8), "p1")
    y = operations.convolution(
        norm(x, "n2", gamma=True), numbers(3, 3, 1, 8), "/dw/Conv", pads=None
    )
    y = operations.convolution(y, numbers(1, 1, 4, 8), "grouped", bias=numbers(8))
    x = operations.add(x, y, "sum")
    x = operations.relu(operations.add(x, numbers(8), "shifted"), "relu")
    x = operations.max_pool(x, (3, 3), "pool", stride=(2, 2), pads=(1, 1, 1, 1))
    x = moves.flatten(x, "flat")
    x = operations.dense(x, numbers(x.shape[1], 6), "fc")
    x = norm(operations.add(x, numbers(6), "fc_bias"), "n3", gamma=False)
    return Graph("mobile", (operations.unit_length(x, "unit"),))


def squeezing() -> Graph:
    """A squeeze-and-excitation block with hard swish, and the other activations."""
    x = operations.graph_input("data", (1, 9, 8, 3))
    x = operations.convolution(x, numbers(3, 3, 3, 4), "c1", pads=None, dilation=(2, 2))
    x = operations.activation(Operation.HARD_SWISH, x, "swish")
    s = operations.reduce(Operation.REDUCE_MEAN, x, (1, 2), "squeeze", keep=True)
    s = operations.convolution(s, numbers(1, 1, 4, 4), "excite", bias=numbers(4))
    x = operations.multiply(x, operations.activation(Operation.SIGMOID, s, "gate"), "scaled")
    x = operations.leaky_relu(x, 0.2, "leaky")
    x = operations.activation(Operation.ELU, x, "elu")
    x = operations.activation(Operation.GELU, x, "gelu")
    x = operations.average_pool(x, (2, 2), "average", stride=(2, 2))
    x = operations.activation(Operation.RELU6, x, "relu6")
    x = moves.pad(x, (1, 0, 0, 1), "pad")
    y = operations.multiply(x, numbers(4), "factors")
    x = moves.concatenate([x, y], "both")
    x = operations.dense(operations.mean(x, "mean"), numbers(8, 5), "fc", bias=numbers(5))
    return Graph("squeezing", (operations.softmax(x, "softmax"),))


@pytest.mark.parametrize("make", [mobile, squeezing])
def test_a_keras_model_answers_as_the_graph_both_ways(make: Any, tmp_path: Path) -> None:
    from facekit.training.keras_graph import from_keras, to_keras

    graph = make()
    net = to_keras(graph)
    pictures = numbers(3, *graph.inputs[0].shape[1:], least=-3, most=3)
    wanted = answers(graph, pictures)
    np.testing.assert_allclose(np.asarray(net(pictures)), wanted, atol=1e-5)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3
    again = from_keras(net)
    np.testing.assert_allclose(answers(again, pictures), wanted, atol=1e-5)
    net.save(tmp_path / "a.keras")
    net.save(tmp_path / "a.h5")
    for path in (tmp_path / "a.keras", tmp_path / "a.h5"):
        found = find_format(path)
        assert found.title == "Keras model"
        require_equal(found.read(path, size=None).graph, again)


def test_a_model_file_is_a_net_that_trains(tmp_path: Path) -> None:
    """What `models import` of an own network leaves: a LiteRT file, batch norms folded."""
    from facekit.training.keras_graph import to_keras

    graph = mobile()
    path = tmp_path / "own.tflite"
    path.write_bytes(to_litert(graph))
    net = to_keras(read_litert_graph(path, name="own"))
    pictures = numbers(2, 14, 12, 3)
    np.testing.assert_allclose(np.asarray(net(pictures)), answers(graph, pictures), atol=1e-5)
    assert sum(one.name.endswith("kernel") for one in net.trainable_variables) == 4


def test_dropout_is_before_the_last_dense_layer_and_leaves_the_graph_as_it_was() -> None:
    from facekit.training.keras_graph import from_keras, to_keras

    graph = tiny_net(FreshWeights(initial, seed=1), embedding_size=4)
    net = to_keras(graph, dropout=0.3)
    assert [one.name for one in net.layers][-3:] == ["pool", "Dropout", "embed"]
    require_equal(from_keras(net), graph)


def test_every_gradient_of_a_grouped_convolution_is_there() -> None:
    from facekit.training.backend import tf
    from facekit.training.keras_graph import to_keras

    net = to_keras(mobile())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net(numbers(2, 14, 12, 3), training=True)[:, 0])
    gradients = tape.gradient(loss, [one.value for one in net.trainable_variables])
    for variable, gradient in zip(net.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.abs(gradient.numpy()).max() > 0 or "beta" in variable.path, variable.path


def test_what_keras_has_no_layer_for_is_named() -> None:
    from facekit.training.keras_graph import to_keras

    x = operations.graph_input("data", (1, 4, 4, 3))
    x = operations.power(operations.mean(x, "mean"), 2.0, "squared")
    with pytest.raises(ModelBuildError, match="squared is a power, which is not known for trainin"):
        to_keras(Graph("odd", (x,)))


def _of(*layers: Any) -> Any:
    from facekit.training.backend import keras

    picture = keras.Input((6, 6, 3), name="image")
    x = picture
    for layer in layers:
        x = layer(x)
    return keras.Model(picture, x, name="odd")


def test_what_a_keras_model_has_beyond_that_is_named() -> None:
    from facekit.training.backend import keras
    from facekit.training.keras_graph import from_keras

    layers = keras.layers
    for layer, complaint in (
        (layers.SpatialDropout2D(0.1, name="odd"), "odd is a SpatialDropout2D. Known are"),
        (layers.Conv2D(2, 3, activation="tanh", name="odd"), "odd has the activation tanh"),
        (layers.ReLU(max_value=4, name="odd"), "odd is a ReLU of a kind"),
        (layers.PReLU(name="odd"), "odd must share its slopes"),
        (layers.BatchNormalization(axis=1, name="odd"), "odd must be over channels"),
        (lambda x: x + 1.0, "add reads one layer; add needs two"),
    ):
        with pytest.raises(ModelBuildError, match=complaint):
            from_keras(_of(layer))
    shared = layers.Dense(3, name="twice")
    with pytest.raises(ModelBuildError, match="twice is used twice"):
        from_keras(_of(shared, shared))


def test_models_as_keras_2_and_sequential_write_them() -> None:
    from facekit.graph.read.keras_model import read_keras_graph

    conv = {
        "name": "c", "filters": 2, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid",
        "data_format": "channels_last", "dilation_rate": [1, 1], "use_bias": True,
        "activation": "relu", "batch_input_shape": [None, 5, 4, 3],
    }  # fmt: skip
    weights = {"c": (numbers(3, 3, 3, 2), numbers(2))}
    listed = [{"class_name": "Conv2D", "config": conv}]
    sequential = {"class_name": "Sequential", "config": {"name": "s", "layers": listed}}
    inputs = {"name": "in", "batch_input_shape": [None, 5, 4, 3]}
    functional = {
        "class_name": "Functional",
        "config": {
            "name": "s",
            "layers": [
                {"class_name": "InputLayer", "config": inputs, "inbound_nodes": []},
                {**listed[0], "inbound_nodes": [[["in", 0, 0, {}]]]},
            ],
            "output_layers": [["c", 0, 0]],
        },
    }
    one, other = (
        read_keras_graph(each, lambda name: weights[name]) for each in (sequential, functional)
    )
    assert [node.name for node in one.nodes] == ["image", "c/BiasAdd", "c/Relu"]
    assert one.outputs[0].shape == (1, 3, 2, 2)
    require_equal(one, other)


def test_a_keras_model_is_imported_and_checked_by_keras_or_by_its_graph(tmp_path: Path) -> None:
    from facekit.conversion.import_options import ImportOptions
    from facekit.conversion.import_weights import import_weights
    from facekit.training.keras_graph import to_keras

    options = ImportOptions(preprocessing=Preprocessing.INSIGHTFACE, accept_untrained=True)
    net = to_keras(mobile())
    net.save(tmp_path / "own.keras")
    net.save(tmp_path / "own.h5")
    pictures = numbers(2, 14, 12, 3)
    for name, by_itself in (("own.keras", True), ("own.h5", False)):
        told, folder = Told(), tmp_path / f"made-{name}"
        folder.mkdir()
        made = import_weights(tmp_path / name, "own", options, folder, reporter=told)
        assert (made.difference is not None) == by_itself
        said = "itself" if by_itself else "the graph that was read"
        assert any(said in note for note in told.notes)
        (answer,) = LiteRtNet(made.model.path).run(pictures)
        np.testing.assert_allclose(unit_length(answer), np.asarray(net(pictures)), atol=1e-5)
