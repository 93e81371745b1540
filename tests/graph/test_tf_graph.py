"""facenet's frozen graph as a graph: whole, or refused by the name of what is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Operation
from facekit.graph.probe import pattern
from facekit.graph.read.graph_def import _GRAPH_DEF, GRAPH, read_constants
from facekit.graph.read.protobuf import parse
from facekit.graph.read.tf_graph import read_tf_graph
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

ROOT = "InceptionResnetV1"
CONV = f"{ROOT}/Repeat_1/block17_3/Branch_1/Conv2d_0b_1x7"
HEAD_BYTES = 6_000
"""of the file: its first nodes, the first of which is a constant"""


@pytest.fixture(scope="module")
def graph_def(frozen_graph: Path) -> Any:
    return parse(frozen_graph, _GRAPH_DEF, GRAPH)


@pytest.fixture(scope="module")
def graph(frozen_graph: Path) -> Graph:
    return read_tf_graph(frozen_graph, name="inception_resnet_v1")


def test_it_is_the_network_up_to_the_embedding(graph: Graph) -> None:
    assert [node.shape for node in (*graph.inputs, *graph.outputs)] == [(1, 160, 160, 3), (1, 512)]
    count = {one: [node.operation for node in graph.nodes].count(one) for one in Operation}
    assert count[Operation.CONVOLUTION] == 132
    assert count[Operation.CONCATENATE] == 23
    assert count[Operation.BATCH_NORM] == 1  # the bottleneck's, which facenet did not fold
    assert count[Operation.MULTIPLY] == 21  # the residual scales
    assert count[Operation.RESHAPE] == 0


def test_batch_norms_keep_their_statistics(graph: Graph, frozen_graph: Path) -> None:
    constants = read_constants(frozen_graph)
    (norm,) = [node for node in graph.nodes if node.operation is Operation.BATCH_NORM]
    for role, name in (("mean", "moving_mean"), ("variance", "moving_variance"), ("beta", "beta")):
        wanted = constants[f"{ROOT}/Bottleneck/BatchNorm/{name}"]
        np.testing.assert_array_equal(norm.weights[role], wanted)


@pytest.mark.tensorflow
def test_every_constant_is_what_tensorflow_reads(frozen_graph: Path) -> None:
    from facekit.training.backend import tf

    theirs = tf.compat.v1.GraphDef.FromString(frozen_graph.read_bytes())
    arrays = {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in theirs.node
        if node.op == "Const"
    }
    wanted = {name: array for name, array in arrays.items() if array.dtype == np.float32}
    found = read_constants(frozen_graph)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.tensorflow
def test_the_file_answers_as_the_keras_net_of_the_same_weights(
    facenet: Graph, facenet_file: Path, crops: Float32Array
) -> None:
    from facekit.training.keras_graph import to_keras

    net = to_keras(facenet)
    pictures = np.concatenate([(pattern(3, 160, 160) - 127.5) / 128, crops]).astype(np.float32)
    for picture in pictures:
        wanted, (found,) = (
            net(picture[None]).numpy(),
            LiteRtNet(facenet_file).run(picture[None]),
        )
        lengths = np.linalg.norm(wanted), np.linalg.norm(found)
        np.testing.assert_allclose(found / lengths[1], wanted / lengths[0], atol=1e-6)


def _drop(graph: Any) -> None:
    del graph.node[_place(graph, f"{CONV}/weights")]


def _not_finite(graph: Any) -> None:
    _set(graph, f"{CONV}/Conv2D_bn_offset", np.full(128, np.nan, np.float32))


def _reshape(graph: Any) -> None:
    _set(graph, f"{CONV}/weights", np.zeros((7, 1, 96, 128), np.float32))


def _too_few(graph: Any) -> None:
    _tensor(graph, f"{CONV}/weights").tensor_content = b"\0" * 16


def _negative(graph: Any) -> None:
    _tensor(graph, f"{CONV}/weights").tensor_shape.dim[0].size = -7


def _huge(graph: Any) -> None:
    _tensor(graph, f"{ROOT}/Repeat/block35_2/mul/x").tensor_shape.dim.add(size=1 << 60)


def _other_operation(graph: Any) -> None:
    graph.node[_place(graph, f"{CONV}/Relu")].op = "Elu"


def _use_twice(graph: Any) -> None:
    node = graph.node[_place(graph, f"{CONV}/BatchNorm/cond/FusedBatchNorm_1")]
    node.input[1] = f"{CONV.replace('_3', '_4')}/Conv2D_bn_offset"


def _idle(graph: Any) -> None:
    graph.node.add(name="left/over", op="Const").attr.add(key="value").value.tensor.dtype = 1


def _circle(graph: Any) -> None:
    graph.node[_place(graph, f"{CONV}/Conv2D")].input[0] = f"{CONV}/Relu"


def _channels_first(graph: Any) -> None:
    _attribute(graph, f"{CONV}/Conv2D", "data_format").s = b"NCHW"


def _stride(graph: Any) -> None:
    _attribute(graph, f"{CONV}/Conv2D", "strides").list.i[1] = 0


def _padding(graph: Any) -> None:
    _attribute(graph, f"{CONV}/Conv2D", "padding").s = b"EXPLICIT"


def _training(graph: Any) -> None:
    name = f"{ROOT}/Bottleneck/BatchNorm/cond/FusedBatchNorm_1"
    _attribute(graph, name, "is_training").b = True


def _one_input(graph: Any) -> None:
    del graph.node[_place(graph, f"{CONV}/Conv2D")].input[1]


def _second_output(graph: Any) -> None:
    graph.node[_place(graph, f"{CONV}/Conv2D")].input[0] += ":1"


def _place(graph: Any, name: str) -> int:
    return next(place for place, node in enumerate(graph.node) if node.name == name)


def _attribute(graph: Any, name: str, key: str) -> Any:
    attributes = graph.node[_place(graph, name)].attr
    return next(one.value for one in attributes if one.key == key)


def _tensor(graph: Any, name: str) -> Any:
    return _attribute(graph, name, "value").tensor


def _set(graph: Any, name: str, values: Float32Array) -> None:
    tensor = _tensor(graph, name)
    tensor.tensor_content = values.tobytes()
    del tensor.tensor_shape.dim[:]
    for side in values.shape:
        tensor.tensor_shape.dim.add(size=side)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop, f"it lacks the tensor {CONV}/weights"),
        (_not_finite, "Conv2d_0b_1x7_BatchNorm/batchnorm: constant holds values that are not fin"),
        (_reshape, r"Conv2d_0b_1x7/Conv2D: .* needed\. Received: shape \(7, 1, 96, 128\)"),
        (_too_few, f"{CONV}/weights must have as many elements as its shape .* Received: 4"),
        (_negative, f"{CONV}/weights must have as many elements"),
        (_huge, "block35_2/mul/x must have as many elements"),
        (_other_operation, f"{CONV}/Relu is a Elu. Known are Add, "),
        (_use_twice, "Conv2d_0b_1x7/Conv2D_bn_offset (is used in several|leads to no)"),
        (_idle, "left/over leads to no output"),
        (_circle, "is read by what it reads"),
        (_channels_first, f"{CONV}/Conv2D must have its channels last"),
        (_stride, "Conv2d_0b_1x7/Conv2D: strides of "),
        (_padding, "padding SAME or VALID needed"),
        (_training, "must use the mean and variance of training"),
        (_one_input, "cannot be read as .*: not enough values to unpack"),
        (_second_output, "a second output"),
    ],
)
def test_a_spoilt_graph_is_refused_by_name(
    graph_def: Any, tmp_path: Path, spoil: Callable[[Any], None], message: str
) -> None:
    spoilt = type(graph_def)()
    spoilt.CopyFrom(graph_def)
    spoil(spoilt)
    path = tmp_path / "spoilt.pb"
    path.write_bytes(spoilt.SerializeToString())
    with pytest.raises(ModelBuildError, match=message) as raised:
        read_tf_graph(path, name="spoilt")
    assert re.match(r"spoilt\.pb", str(raised.value))


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.5, 0.9, 0.99999])
def test_a_file_that_was_cut_off_is_refused(
    frozen_graph: Path, tmp_path: Path, share: float
) -> None:
    content = frozen_graph.read_bytes()
    path = tmp_path / "graph.pb"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelBuildError, match=r"graph\.pb"):
        read_tf_graph(path, name="cut off")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelBuildError, match=r"graph\.pb cannot be read: No such file"):
        read_tf_graph(tmp_path / "graph.pb", name="absent")


@settings(max_examples=200)
@given(seed=st.integers(0, 10**9))
def test_a_spoilt_file_is_refused_or_read(
    frozen_graph: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The beginning alone, so that it is quick: nothing but a ModelBuildError may come of it."""
    with frozen_graph.open("rb") as file:
        spoilt = bytearray(file.read(HEAD_BYTES))
    chosen = random.Random(seed)
    for _ in range(chosen.randrange(1, 30)):
        spoilt[chosen.randrange(len(spoilt))] = chosen.randrange(256)
    path = tmp_path_factory.getbasetemp() / "spoilt.pb"
    path.write_bytes(spoilt)
    with suppress(ModelBuildError):
        read_tf_graph(path, name="spoilt")
    with suppress(ModelBuildError):
        read_constants(path)
