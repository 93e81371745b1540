"""float16 and integer ONNX files against float32, on a small net and on real faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.conversion.crops import CropSet, Origin
from facekit.enums import Precision
from facekit.errors import InputError, UsageError
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import InstalledModel, find
from facekit.runtime.preprocess import model_input
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.match import unit_length
from facekit.types import UInt8Array
from tests.networks.tiny_embedder import SPEC, tiny_embedder

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")


def noise_crops(count: int = 24) -> CropSet:
    pixels: UInt8Array = np.random.default_rng(5).integers(0, 256, (count, 16, 16, 3), np.uint8)
    return CropSet(pixels, Origin("noise", count, count, "0" * 64, 5))


@pytest.fixture
def tiny(data: Path, tmp_path: Path) -> InstalledModel:
    return tiny_embedder(data, tmp_path / "model")


@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 1 - 1e-6), ("fp16", 1 - 1e-4), ("int8", 0.995)]
)
def test_a_small_net_in_each_precision(tiny: InstalledModel, precision: str, least: float) -> None:
    from facekit.conversion.onnx import make_onnx

    made = make_onnx(tiny, Precision(precision), crops=noise_crops())
    assert made.drift.minimum >= least
    if precision != "fp32":
        assert made.drift.minimum < 1 - 1e-8, "nothing was rounded"
    card = made.file.card
    assert (card.variant, card.file_name) == (f"onnx-{precision}", f"tiny_onnx-{precision}.onnx")
    assert card.quantization.input_formula.startswith("x = (pixel - 127.5) / 128, float32")
    model = onnx.load_model_from_string(made.file.content)
    kinds = {node.op_type for node in model.graph.node}
    assert ("Cast" in kinds) == (precision == "fp16")
    assert ("QuantizeLinear" in kinds) == (precision == "int8")
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    again = make_onnx(tiny, Precision(precision), crops=noise_crops())
    assert again.file.content == made.file.content


def test_integer_weights_keep_to_seven_bits_and_pixels_are_not_rounded(
    tiny: InstalledModel,
) -> None:
    from facekit.conversion.onnx import make_onnx

    made = make_onnx(tiny, Precision.INT8, crops=noise_crops())
    graph = onnx.load_model_from_string(made.file.content).graph
    weights = [
        onnx.numpy_helper.to_array(one)
        for one in graph.initializer
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1
    ]
    assert weights
    assert max(int(np.abs(one.astype(int)).max()) for one in weights) <= 64
    first = next(node for node in graph.node if node.op_type == "Conv")
    assert first.input[0] == "image/channels_first"
    assert first.input[1].endswith("/kernel")  # float32, as it was


@pytest.mark.parametrize("rule", ["minmax", "percentile", "mse", "entropy"])
def test_the_rule_is_in_the_card(tiny: InstalledModel, rule: str) -> None:
    from facekit.conversion.onnx import make_onnx
    from facekit.enums import RangeRule

    made = make_onnx(tiny, Precision.INT8, crops=noise_crops(), rule=RangeRule(rule))
    calibrated = made.file.card.quantization.calibration
    assert (calibrated["range_rule"], calibrated["crops"]) == (rule, 24)
    assert made.drift.minimum > 0.97


def test_thresholds_hold_for_equal_embeddings_alone(tiny: InstalledModel) -> None:
    from facekit.conversion.onnx import make_onnx

    point = OperatingPoint("fmr=1e-3", 0.5, 1e-3, 0.1, 9, 9, None, None, "made up", "noise")
    mean = np.full(10, 0.1, np.float32)
    calibration = Calibration(embedding_mean=mean, operating_points=(point,), source="noise")
    measured = InstalledModel(replace(tiny.card, calibration=calibration), tiny.path)
    exact, rounded = (
        make_onnx(measured, precision, crops=noise_crops()).file.card.calibration
        for precision in (Precision.FP32, Precision.INT8)
    )
    assert exact.operating_points == (point,)
    assert "cosine of at least 0.999999 " in exact.source
    assert rounded.operating_points == ()
    assert rounded.embedding_mean is mean
    assert "thresholds are not measured yet" in rounded.source


def test_prelus_pads_and_flattened_pictures_in_integers(tmp_path: Path) -> None:
    """What SFace is made of."""
    from facekit.conversion.onnx_precision import to_int8
    from facekit.conversion.quantize.histograms import activation_histograms
    from facekit.conversion.quantize.range_rules import compute_ranges
    from facekit.enums import RangeRule
    from facekit.graph import moves, operations
    from facekit.graph.graph import Graph
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.litert import to_litert
    from facekit.graph.write.onnx import to_onnx
    from facekit.runtime.litert import LiteRtNet
    from facekit.runtime.onnx import OnnxNet

    random = np.random.default_rng(1)
    x = operations.graph_input("x", (1, 16, 16, 3))
    for name, channels in (("a", 3), ("b", 8), ("c", 8)):
        kernel = random.standard_normal((3, 3, channels, 8), np.float32) / np.float32(9)
        x = operations.convolution(x, kernel, name, stride=(2, 2), pads=(1, 1, 1, 1))
        slope = random.uniform(-0.5, 1.5, 8).astype(np.float32)
        x = operations.prelu(x, slope, f"{name}/prelu")
    kernel = random.standard_normal((32, 10), np.float32)
    graph = Graph("net", (operations.dense(moves.flatten(x, "flat"), kernel, "y"),))
    litert, path = tmp_path / "net.tflite", tmp_path / "net.onnx"
    litert.write_bytes(to_litert(graph))
    crops = noise_crops().images
    by_key = compute_ranges(
        activation_histograms(litert.read_bytes(), SPEC, crops), RangeRule.MINMAX
    )
    model = to_int8(to_onnx(read_litert_graph(litert, name="net")), SPEC, by_key)
    path.write_bytes(model.SerializeToString())
    weights = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.INT8]
    assert len([one for one in weights if len(one.dims) > 1]) == 3  # all but the first layer
    pictures = model_input(crops, SPEC)
    a, b = (unit_length(net.run(pictures)[0]) for net in (LiteRtNet(litert), OnnxNet(path)))
    assert 0.99 < float((a * b).sum(1).min()) < 1 - 1e-6


def test_ranges_of_another_net(tiny: InstalledModel) -> None:
    from facekit.conversion.onnx_precision import to_int8
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.onnx import to_onnx

    graph = to_onnx(read_litert_graph(tiny.path, name="tiny"))
    with pytest.raises(InputError, match="Missing: "):
        to_int8(graph, tiny.card.input, {"nothing": (0.0, 1.0)})


@pytest.mark.model
@pytest.mark.parametrize(
    ("precision", "least_mean", "least"),
    [("fp32", 1 - 1e-6, 1 - 1e-6), ("fp16", 0.99999, 0.99998), ("int8", 0.998, 0.985)],
)
def test_the_default_model_on_the_shipped_faces(
    precision: str, least_mean: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.conversion import onnx as onnx_file
    from facekit.conversion.onnx import make_onnx

    monkeypatch.setattr(onnx_file, "DRIFT_CROPS", 12)  # for the sake of time
    source = find(DEFAULT_MODEL)
    made = make_onnx(source, Precision(precision))
    assert made.drift.crop_count == 12
    assert made.drift.mean >= least_mean
    assert made.drift.minimum >= least
    card = made.file.card
    own = source.card.calibration
    assert card.calibration.embedding_mean is not None
    assert own.embedding_mean is not None
    shipped = shipped_calibration(card.name, card.variant)
    is_measured = shipped is not None and shipped.model_sha256 == card.file_sha256
    assert bool(card.calibration.operating_points) == (precision == "fp32" or is_measured)
    if precision == "fp32":
        assert card.calibration.operating_points == own.operating_points
        assert "a cosine of at least 0.999999 " in card.calibration.source
    with pytest.raises(UsageError, match="float32 file is needed"):
        make_onnx(InstalledModel(card, source.path), Precision.FP32)
