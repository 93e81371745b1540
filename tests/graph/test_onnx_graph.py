"""The ONNX graph written from a LiteRT file, run by ONNX Runtime against LiteRT itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.enums import ColourOrder
from facekit.errors import ModelBuildError
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.preprocess import model_input
from facekit.template.match import unit_length
from facekit.types import Float32Array, InputSpec

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

NETS = Path(__file__).parents[1] / "data" / "nets"


def write_onnx(litert: Path, folder: Path) -> Path:
    from facekit.graph.write.onnx import onnx_graph

    path = folder / f"{litert.stem}.onnx"
    path.write_bytes(onnx_graph(litert.read_bytes()).model.SerializeToString(deterministic=True))
    return path


def test_every_operator_of_a_small_net(data: Path, tmp_path: Path) -> None:
    from facekit.runtime.onnx import OnnxNet

    litert = data / "tiny" / "float32.tflite"
    random = np.random.default_rng(3)
    batch = random.uniform(-1, 1, (5, 16, 16, 3)).astype(np.float32)
    net = OnnxNet(write_onnx(litert, tmp_path))
    assert net.inputs[0].shape == (-1, 16, 16, 3)
    assert net.outputs[0].shape == (-1, 10)
    np.testing.assert_allclose(net.run(batch)[0], LiteRtNet(litert).run(batch)[0], atol=1e-5)
    # Height and width are not taken for each other, nor channels for either.
    turned = np.ascontiguousarray(batch.swapaxes(1, 2)[..., ::-1])
    assert np.abs(net.run(turned)[0] - net.run(batch)[0]).max() > 1e-3


@pytest.mark.tensorflow
def test_operators_that_other_nets_have(tmp_path: Path) -> None:
    """PReLU in both of its forms, zero padding and flattening before a dense layer, as in
    SphereFace-20."""
    from facekit.conversion.onnx_precision import integers
    from facekit.conversion.quantize.histograms import activation_histograms
    from facekit.conversion.quantize.range_rules import ranges
    from facekit.enums import RangeRule
    from facekit.graph.write.keras_litert import keras_to_litert
    from facekit.graph.write.onnx import onnx_graph
    from facekit.runtime.onnx import OnnxNet
    from facekit.system.keras_backend import keras

    keras.utils.set_random_seed(7)
    layers = keras.layers
    image = keras.Input((14, 12, 3), batch_size=1)
    x = layers.ZeroPadding2D(((1, 2), (2, 1)))(image)
    x = layers.Conv2D(6, 3, strides=2, padding="valid", name="conv")(x)
    x = layers.PReLU(
        shared_axes=(1, 2), alpha_initializer=keras.initializers.RandomUniform(0.1, 0.9)
    )(x)
    x = layers.Add()([x, layers.Conv2D(6, 3, padding="same")(x)])
    x = layers.PReLU(
        shared_axes=(1, 2), alpha_initializer=keras.initializers.RandomUniform(0.5, 1.5)
    )(x)
    x = layers.Dense(4)(layers.Flatten()(x))
    litert = tmp_path / "prelu.tflite"
    litert.write_bytes(keras_to_litert(keras.Model(image, x)))
    batch = np.random.default_rng(0).uniform(-1, 1, (3, 14, 12, 3)).astype(np.float32)
    wanted = LiteRtNet(litert).run(batch)[0]
    found = OnnxNet(write_onnx(litert, tmp_path)).run(batch)[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(wanted).max() > 0.1

    crops = np.random.default_rng(1).integers(0, 256, (24, 14, 12, 3), np.uint8)
    spec = InputSpec(14, 12, ColourOrder.RGB, mean=127.5, std=128.0)
    content = litert.read_bytes()
    by_key = ranges(activation_histograms(content, spec, crops), RangeRule.MINMAX)
    path = tmp_path / "int8.onnx"
    path.write_bytes(integers(onnx_graph(content), spec, by_key).SerializeToString())
    a, b = (
        unit_length(net.run(model_input(crops, spec))[0])
        for net in (LiteRtNet(litert), OnnxNet(path))
    )
    assert float((a * b).sum(1).min()) > 0.99


@pytest.mark.tensorflow
def test_an_operator_that_no_embedding_net_has(tmp_path: Path) -> None:
    from facekit.graph.write.keras_litert import keras_to_litert
    from facekit.graph.write.onnx import onnx_graph
    from facekit.system.keras_backend import keras

    image = keras.Input((4, 4, 3), batch_size=1)
    content = keras_to_litert(keras.Model(image, keras.layers.Activation("softmax")(image)))
    with pytest.raises(ModelBuildError, match="Operator SOFTMAX cannot be exported to ONNX"):
        onnx_graph(content)


@pytest.mark.model
def test_the_default_model_embeds_real_faces_as_litert_does(
    crops: Float32Array, tmp_path: Path
) -> None:
    from facekit.graph.write.onnx import onnx_graph
    from facekit.graph.write.onnx_nodes import BATCH, IR_VERSION, OPSET
    from facekit.runtime.onnx import OnnxNet

    litert = find(DEFAULT_MODEL).path
    path = write_onnx(litert, tmp_path)
    wanted, found = (net.run(crops)[0] for net in (LiteRtNet(litert), OnnxNet(path)))
    np.testing.assert_allclose(found, wanted, atol=2e-5)  # of values about 0.5
    assert write_onnx(litert, tmp_path).read_bytes() == path.read_bytes()
    model = onnx.load(path)
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == BATCH
    graph = onnx_graph(litert.read_bytes())
    outputs = {output for node in graph.model.graph.node for output in node.output}
    assert set(graph.activations.values()) <= outputs
    assert len(graph.activations) == 181


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nets/two_inputs", "one input and one output needed"),
        ("tiny/int8", "float32 file"),
        ("nets/open_batch", "takes pictures"),
    ],
)
def test_a_file_that_is_no_float32_embedding_net(name: str, said: str, data: Path) -> None:
    from facekit.graph.write.onnx import onnx_graph

    with pytest.raises(ModelBuildError, match=said):
        onnx_graph((data / f"{name}.tflite").read_bytes())
