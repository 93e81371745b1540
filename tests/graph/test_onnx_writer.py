"""ONNX files made of LiteRT files, run by ONNX Runtime against LiteRT itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.graph.read.litert import read_litert_graph
from facekit.graph.write.onnx import to_onnx
from facekit.graph.write.onnx_file import BATCH, IR_VERSION, OPSET
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.types import Float32Array

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")


def write_onnx(litert: Path, folder: Path) -> Path:
    path = folder / f"{litert.stem}.onnx"
    model = to_onnx(read_litert_graph(litert, name="net")).model
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def test_height_width_and_channels_are_not_taken_for_each_other(data: Path, tmp_path: Path) -> None:
    from facekit.runtime.onnx import OnnxNet

    litert = data / "tiny" / "float32.tflite"
    random = np.random.default_rng(3)
    batch = random.uniform(-1, 1, (5, 16, 16, 3)).astype(np.float32)
    net = OnnxNet(write_onnx(litert, tmp_path))
    assert net.inputs[0].shape == (-1, 16, 16, 3)
    assert net.outputs[0].shape == (-1, 10)
    np.testing.assert_allclose(net.run(batch)[0], LiteRtNet(litert).run(batch)[0], atol=1e-5)
    turned = np.ascontiguousarray(batch.swapaxes(1, 2)[..., ::-1])
    assert np.abs(net.run(turned)[0] - net.run(batch)[0]).max() > 1e-3


@pytest.mark.model
def test_the_default_model_embeds_real_faces_as_litert_does(
    crops: Float32Array, tmp_path: Path
) -> None:
    from facekit.runtime.onnx import OnnxNet

    litert = find(DEFAULT_MODEL).path
    path = write_onnx(litert, tmp_path)
    wanted, found = (unit_length(net.run(crops)[0]) for net in (LiteRtNet(litert), OnnxNet(path)))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert write_onnx(litert, tmp_path).read_bytes() == path.read_bytes()
    model = onnx.load(path)
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == BATCH


@pytest.mark.model
def test_sface_embeds_real_faces_as_litert_does(sface_file: Path, tmp_path: Path) -> None:
    from facekit.conversion.shipped_faces import shipped_crops
    from facekit.model.store import load_checked
    from facekit.runtime.onnx import OnnxNet
    from facekit.runtime.preprocess import model_input

    card = load_checked(sface_file).card
    pictures = model_input(shipped_crops(card, count=6, seed=1).images, card.input)
    litert, converted = LiteRtNet(sface_file), OnnxNet(write_onnx(sface_file, tmp_path))
    wanted, found = (unit_length(net.run(pictures)[0]) for net in (litert, converted))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.model
def test_activations_have_the_keys_of_the_litert_file() -> None:
    from facekit.graph.activations import list_activations

    litert = find(DEFAULT_MODEL).path
    graph = to_onnx(read_litert_graph(litert, name="net"))
    outputs = {output for node in graph.model.graph.node for output in node.output}
    assert set(graph.activations.values()) <= outputs
    assert graph.activations.keys() >= {one.key for one in list_activations(litert.read_bytes())}
