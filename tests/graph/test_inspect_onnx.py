"""inspect_onnx on files made of the small net that test_inspect_model.py counts by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facekit.errors import MissingExtraError, ModelMismatchError, ModelMissingError
from facekit.model.inspect import inspect_model
from tests.model.made_up_model import write_network

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

BIASES = 8 + 8 + 10
WEIGHTS = 3 * 3 * 3 * 8 + 3 * 3 * 8 + 8 * 10  # stem, depthwise, dense


@pytest.fixture
def litert(data: Path) -> Path:
    return data / "tiny" / "float32.tflite"


def test_float32_is_what_the_litert_file_is(tmp_path: Path, litert: Path) -> None:
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.onnx import to_onnx

    path = tmp_path / "tiny.onnx"
    graph = to_onnx(read_litert_graph(litert, name="tiny"))
    path.write_bytes(graph.model.SerializeToString())
    found, source = inspect_model(path), inspect_model(litert)
    assert found.macs == source.macs
    assert found.parameters == source.parameters == {"float32": WEIGHTS + BIASES}
    (image,) = found.inputs
    assert (image.name, image.shape, image.dtype) == ("image", (-1, 16, 16, 3), "float32")
    assert found.outputs[0].shape == (-1, 10)
    assert found.histogram["Conv"] == 2
    assert (found.card, found.card_problem) == (None, "no card tiny.json beside the file")


def test_integers_have_their_scales_and_the_same_work(tmp_path: Path, litert: Path) -> None:
    from facekit.conversion.onnx_precision import to_int8
    from facekit.enums import ColorOrder
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.onnx import to_onnx
    from facekit.types import InputSpec

    graph = to_onnx(read_litert_graph(litert, name="tiny"))
    ranges = dict.fromkeys(graph.activations, (-3.0, 3.0))
    spec = InputSpec(16, 16, ColorOrder.RGB, mean=127.5, std=128.0)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(to_int8(graph, spec, ranges).SerializeToString())
    found = inspect_model(path)
    assert found.parameters == {
        "int8": WEIGHTS - 3 * 3 * 3 * 8,
        "float32": 3 * 3 * 3 * 8 + 8,  # the first layer
        "int32": BIASES - 8,
    }
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(graph.model.SerializeToString())
    assert found.macs == inspect_model(plain).macs
    scales = [
        tensor.scales
        for operator in found.operators
        for tensor in operator.outputs
        if operator.name == "QuantizeLinear"
    ]
    assert any(one == pytest.approx((6 / 255,)) for one in scales)


@pytest.mark.parametrize("damaged", [b"", b"garbage", b"\x08\x08"])
def test_a_file_that_is_none(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(ModelMissingError):
        inspect_model(path)
    path.write_bytes(damaged)
    with pytest.raises(ModelMismatchError, match="is not an ONNX model"):
        inspect_model(path)


def test_without_the_package_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_network(tmp_path, variant="onnx-fp32")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facekit-cli\[convert\]'"):
        inspect_model(path)


@pytest.mark.model
def test_a_file_of_integer_blocks_is_the_network_that_is_made_of_it(
    sface_source: Path, sface_file: Path
) -> None:
    """Names that nothing reads are no inputs."""
    found, made = inspect_model(sface_source), inspect_model(sface_file)
    assert [one.name for one in found.inputs] == ["data"]
    assert found.macs is not None
    assert made.macs is not None
    assert found.macs.weighted == made.macs.weighted
