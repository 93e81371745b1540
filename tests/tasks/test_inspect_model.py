"""inspect_model on small files whose numbers can be counted by hand, and on the default model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facekit.errors import AcceleratorError, ModelMismatchError, ModelMissingError
from facekit.graph.inspect.network import Macs
from facekit.model.inspect import inspect_model


@pytest.fixture
def tiny(data: Path) -> Path:
    return data / "tiny"


WEIGHTS = 3 * 3 * 3 * 8 + 3 * 3 * 8 + 8 * 10  # stem, depthwise, dense
BIASES = 8 + 8 + 10
WEIGHTED = 7 * 7 * 8 * (3 * 3 * 3) + 7 * 7 * 8 * (3 * 3) + 8 * 10
POOLING = 3 * 3 * 8 * (2 * 2) + 3 * 3 * 8  # 2 x 2 windows, then the mean over 3 x 3


def test_a_float32_file_has_the_counted_weights_and_products(tiny: Path) -> None:
    inspected = inspect_model(tiny / "float32.tflite")
    assert inspected.parameters == {"float32": WEIGHTS + BIASES}
    assert inspected.macs == Macs(WEIGHTED, POOLING)
    assert inspected.macs.total == WEIGHTED + POOLING
    (image,) = inspected.inputs
    assert (image.shape, image.dtype, image.scales) == ((1, 16, 16, 3), "float32", ())
    assert not image.is_integer
    assert inspected.outputs[0].shape == (1, 10)
    assert inspected.histogram == dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "MEAN", "FULLY_CONNECTED"), 1
    )
    assert inspected.size_bytes == (tiny / "float32.tflite").stat().st_size


def test_int8_has_the_same_parameters_and_macs_and_a_quantized_input(tiny: Path) -> None:
    inspected = inspect_model(tiny / "int8.tflite")
    assert inspected.parameters == {"int8": WEIGHTS, "int32": BIASES}
    assert inspected.macs == Macs(WEIGHTED, POOLING)
    (image,) = inspected.inputs
    assert image.is_integer
    assert image.dtype == "int8"
    assert image.zero_points == (-1,)
    assert image.scales == pytest.approx((2 / 255,), rel=1e-3)  # calibrated on noise in -1..1


def test_a_cosine_is_listed_by_its_name_and_counts_no_macs(tiny: Path) -> None:
    inspected = inspect_model(tiny / "cosines_int8.tflite")
    assert inspected.histogram["COS"] == 4
    assert next(iter(inspected.histogram)) == "COS"  # the most frequent one
    assert inspected.macs == Macs(WEIGHTED, POOLING)


def test_no_card_is_said_and_is_not_wrong(tiny: Path) -> None:
    inspected = inspect_model(tiny / "int8.tflite")
    assert inspected.card is None
    assert "int8.json" in inspected.card_problem
    assert not inspected.has_wrong_card


def test_a_damaged_card_is_wrong(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(tiny / "int8.tflite", tmp_path))
    copy.with_suffix(".json").write_text("{}")
    inspected = inspect_model(copy)
    assert inspected.has_wrong_card
    assert str(copy.with_suffix(".json")) in inspected.card_problem


@pytest.mark.parametrize("kept", [0, 3, 20, 1000, 4000])
def test_a_truncated_file_is_refused(tiny: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "part.tflite"
    path.write_bytes((tiny / "int8.tflite").read_bytes()[:kept])
    with pytest.raises(ModelMismatchError, match=r"part\.tflite is not a LiteRT model"):
        inspect_model(path)


def test_a_foreign_file_is_refused(data: Path) -> None:
    with pytest.raises(ModelMismatchError, match=r"obama\.jpg is not a LiteRT model"):
        inspect_model(data / "obama.jpg")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"nothing\.tflite"):
        inspect_model(tmp_path / "nothing.tflite")


def test_without_the_schema_the_package_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facekit.graph.inspect.litert._READER", "no_such_package.schema")
    with pytest.raises(AcceleratorError, match="pip install ai-edge-litert"):
        inspect_model(tiny / "int8.tflite")


@pytest.mark.model
def test_the_default_model_has_the_published_parameters_and_macs() -> None:
    from facekit.model.store import find

    inspected = inspect_model(find("facenet512-casia").path)
    in_file = sum(inspected.parameters.values())
    assert in_file + inspected.folded_parameters == 23_497_424  # Keras's count_params()
    assert inspected.macs is not None
    assert inspected.macs.total == 1_418_730_208  # Vela's count
    assert inspected.histogram["CONV_2D"] == 132


@pytest.mark.model
def test_an_open_batch_counts_for_one_picture_and_open_sides_do_not_count() -> None:
    from facekit.model.store import find

    rnet = inspect_model(find("mtcnn:rnet").path).macs
    assert rnet is not None
    first_layer = 22 * 22 * 28 * (3 * 3 * 3)
    assert rnet.weighted > first_layer
    assert inspect_model(find("mtcnn:pnet").path).macs is None
