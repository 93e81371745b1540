"""ONNX files as different exporters write them, made here by hand of one small net."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.tensorflow
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def small_net() -> keras.Model:
    from facekit.system.keras_backend import keras

    layers = keras.layers
    picture = keras.Input((14, 12, 3), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, use_bias=False, name="first")(layers.ZeroPadding2D(1)(picture))
    x = layers.BatchNormalization(epsilon=0.001, scale=False, name="first_norm")(x)
    x = layers.Activation("relu", name="first_relu")(x)
    y = layers.PReLU(shared_axes=[1, 2], name="slope")(layers.Conv2D(8, 1, name="second")(x))
    y = layers.Rescaling(0.3, name="scale")(layers.Conv2D(8, 1, name="third")(y))
    x = layers.MaxPooling2D(2, name="pool")(layers.Add(name="sum")([x, y]))
    x = layers.Dense(5, name="head")(layers.Flatten(name="flat")(x))
    return keras.Model(picture, x, name="small")


@pytest.fixture(scope="module")
def net() -> keras.Model:
    made = small_net()
    rng = np.random.default_rng(7)
    for variable in made.variables:
        low = 0.5 if "variance" in variable.path else -0.5
        variable.assign(rng.uniform(low, 1, variable.shape).astype(np.float32))
    return made


class Writer:
    """Collects nodes and initializers."""

    def __init__(self, net: keras.Model) -> None:
        self.values = {variable.path: variable.numpy() for variable in net.variables}
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def constant(self, array: Any) -> str:
        name = f"w{len(self.initializers)}"
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def conv(self, x: str, layer: str, *, bias: bool = True, **attributes: Any) -> str:
        kernel = self.constant(self.values[f"{layer}/kernel"].transpose(3, 2, 0, 1).copy())
        extra = [self.constant(self.values[f"{layer}/bias"])] if bias else []
        return self.op("Conv", x, kernel, *extra, **attributes)

    def write(self, path: Path, picture: str, output: str, shape: list[Any]) -> Path:
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "small",
            [value(picture, onnx.TensorProto.FLOAT, shape)],
            [value(output, onnx.TensorProto.FLOAT, ["n", 5])],
            self.initializers,
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def as_pytorch_does(net: keras.Model, path: Path) -> Path:
    """Channels first, a batch norm of its own, Gemm with (out, in), unit length at the end."""
    w = Writer(net)
    x = w.conv("image", "first", bias=False, pads=[1, 1, 1, 1])
    norm = [
        w.constant(np.ones(8, np.float32)),
        *(w.constant(w.values[f"first_norm/{leaf}"])
          for leaf in ("beta", "moving_mean", "moving_variance")),
    ]  # fmt: skip
    x = w.op("Relu", w.op("BatchNormalization", x, *norm, epsilon=0.001))
    slope = w.constant(w.values["slope/alpha"].reshape(8, 1, 1))
    y = w.conv(w.op("PRelu", w.conv(x, "second"), slope), "third")
    y = w.op("Mul", w.constant(np.float32(0.3)), y)
    x = w.op("MaxPool", w.op("Add", y, x), kernel_shape=[2, 2], strides=[2, 2])
    x = w.op("Flatten", x)
    kernel = w.values["head/kernel"].reshape(7, 6, 8, 5).transpose(2, 0, 1, 3).reshape(336, 5)
    x = w.op("Gemm", x, w.constant(kernel.T.copy()), w.constant(w.values["head/bias"]), transB=1)
    length = w.op("Clip", w.op("ReduceL2", x, axes=[1]), w.constant(np.float32(1e-12)))
    return w.write(path, "image", w.op("Div", x, length), ["n", 3, 14, 12])


def as_tensorflow_exporters_do(net: keras.Model, path: Path) -> Path:
    """Channels last outside, the batch norm folded, a PReLU made of four operators."""
    w = Writer(net)
    x = w.op("Transpose", "image", perm=[0, 3, 1, 2])
    x = w.op("Pad", x, w.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)))
    divisor = np.sqrt(w.values["first_norm/moving_variance"] + np.float32(0.001))
    w.values["first/kernel"] = w.values["first/kernel"] / divisor
    w.values["first/bias"] = (
        w.values["first_norm/beta"] - w.values["first_norm/moving_mean"] / divisor
    )
    x = w.op("Relu", w.conv(x, "first"))
    y = w.conv(x, "second")
    below = w.op("Relu", w.op("Neg", y))
    slope = w.constant(-w.values["slope/alpha"].reshape(1, 8, 1, 1))
    y = w.op("Add", w.op("Relu", y), w.op("Mul", slope, below))
    w.values["third/kernel"] = w.values["third/kernel"] * np.float32(0.3)
    w.values["third/bias"] = w.values["third/bias"] * np.float32(0.3)
    x = w.op("Add", x, w.conv(y, "third"))
    x = w.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = w.op("Transpose", x, perm=[0, 2, 3, 1])
    x = w.op("Reshape", x, w.constant(np.array([-1, 336], np.int64)))
    x = w.op("MatMul", x, w.constant(w.values["head/kernel"]))
    x = w.op("Add", x, w.constant(w.values["head/bias"]))
    return w.write(path, "image", x, ["n", 14, 12, 3])


WRITERS = {"pytorch": as_pytorch_does, "tensorflow": as_tensorflow_exporters_do}


@pytest.mark.parametrize("writer", WRITERS)
def test_either_way_of_writing_is_read(net: keras.Model, tmp_path: Path, writer: str) -> None:
    from facekit.graph.read.formats import format_of

    path = WRITERS[writer](net, tmp_path / "a.bin")
    assert format_of(path).title == "ONNX model"
    weights = format_of(path).read(path)
    again = small_net()
    weights.fill(again)  # compares its answer with ONNX Runtime's
    picture = np.random.default_rng(1).normal(size=(1, 14, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(again(picture), net(picture), rtol=1e-4, atol=1e-5)
    assert weights.embedding_size == 5


@pytest.mark.parametrize("factor", [1.0, 3.0], ids=["slopes to 1", "slopes above 1"])
def test_what_facekit_exports_is_read(net: keras.Model, tmp_path: Path, factor: float) -> None:
    from facekit.graph.read.formats import format_of
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.keras_litert import keras_to_litert
    from facekit.graph.write.onnx import to_onnx

    exported, again = small_net(), small_net()
    exported.set_weights(net.get_weights())
    slopes = exported.get_layer("slope").alpha
    slopes.assign(slopes * factor)
    assert (np.max(slopes) > 1) == (factor > 1)
    path = tmp_path / "ours.onnx"
    litert = tmp_path / "ours.tflite"
    litert.write_bytes(keras_to_litert(exported))
    written = to_onnx(read_litert_graph(litert, name="ours")).model
    path.write_bytes(written.SerializeToString())
    format_of(path).read(path).fill(again)
    picture = np.random.default_rng(1).normal(size=(1, 14, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(again(picture), exported(picture), rtol=1e-4, atol=1e-5)


def edited(net: keras.Model, path: Path, edit: Any) -> Path:
    as_pytorch_does(net, path)
    model = onnx.load(path)
    edit(model.graph)
    onnx.save(model, path)
    return path


def drop_first(graph: Any) -> None:
    del graph.initializer[0]


def add_surplus(graph: Any) -> None:
    graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "extra"))


def set_nan(graph: Any) -> None:
    kernel = onnx.numpy_helper.to_array(graph.initializer[0]).copy()
    kernel[0, 0, 0, 0] = np.nan
    graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(kernel, "w0"))


def other_window(graph: Any) -> None:
    graph.node[0].attribute[0].ints[:] = [0, 0, 0, 0]


def other_operator(graph: Any) -> None:
    next(node for node in graph.node if node.op_type == "Relu").op_type = "Sigmoid"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop_first, "lacks the tensor w0, which t0 needs"),
        (add_surplus, "a tensor with no place in the graph: extra"),
        (set_nan, r"t\d \(kernel\) holds values that are not finite"),
        (other_window, r"t10 cannot be read: a kernel of shape \(336, 5\) on"),
        (other_operator, "the operator Sigmoid, which none of our nets has"),
    ],
)
def test_what_does_not_fit_is_named(
    net: keras.Model, tmp_path: Path, edit: Any, message: str
) -> None:
    from facekit.graph.read.onnx import read_onnx

    path = edited(net, tmp_path / "a.onnx", edit)
    with pytest.raises(ModelBuildError, match=message):
        read_onnx(path).fill(small_net())


def test_a_file_cut_off_is_refused(net: keras.Model, tmp_path: Path) -> None:
    from facekit.graph.read.onnx import is_onnx, read_onnx

    path = as_pytorch_does(net, tmp_path / "a.onnx")
    content: bytes = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert is_onnx(path)
    with pytest.raises(ModelBuildError, match="is not an ONNX file, or is damaged"):
        read_onnx(path)


def test_tensors_in_another_file_are_refused(net: keras.Model, tmp_path: Path) -> None:
    from facekit.graph.read.onnx import read_onnx

    path = as_pytorch_does(net, tmp_path / "a.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0)
    with pytest.raises(ModelBuildError, match="lies in another file"):
        read_onnx(path)


def test_a_number_a_column_is_not_one_a_channel() -> None:
    from facekit.graph import steps
    from facekit.graph.read.onnx_layout import CHANNELS_FIRST, Tracked, by_channel

    x = Tracked(steps.image(3, 3, "image"), CHANNELS_FIRST)
    numbers: Float32Array = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="a constant of shape"):
        by_channel(numbers, x)
    assert by_channel(numbers.reshape(3, 1, 1), x).shape == (3,)
