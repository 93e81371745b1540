"""Names of variants, the files they are in, and which one --runtime means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facekit.enums import Precision, Runtime
from facekit.errors import ModelMismatchError, ModelMissingError, UsageError
from facekit.model import installation, store
from facekit.model.archive import export_models, import_models
from facekit.model.card import read_card
from facekit.model.variants import (
    file_name,
    for_runtime,
    full_variant_name,
    precision_of,
    suffix_of,
)
from tests.model.made_up_model import write_model, write_network


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_name_says_which_file() -> None:
    assert file_name("toy", "int8") == "toy_int8.tflite"
    assert file_name("toy", "onnx-int8") == "toy_onnx-int8.onnx"
    assert file_name("toy", "keras") == "toy_keras.keras"
    assert suffix_of("onnxish") == ".tflite"
    assert full_variant_name("onnx") == "onnx-fp32"
    assert full_variant_name("int8") == "int8"
    assert precision_of("onnx-fp16") is Precision.FP16
    assert precision_of("float16") is None


@pytest.mark.parametrize(
    ("name", "runtime", "meant"),
    [
        ("toy", None, "toy"),
        ("toy", Runtime.ONNX, "toy:onnx-fp32"),
        ("toy:float16", Runtime.ONNX, "toy:onnx-fp16"),
        ("toy:int8", Runtime.ONNX, "toy:onnx-int8"),
        ("toy:onnx-int8", Runtime.ONNX, "toy:onnx-int8"),
        ("a/x.onnx", Runtime.ONNX, "a/x.onnx"),
        ("toy", Runtime.KERAS, "toy:keras"),
        ("toy:float32", Runtime.KERAS, "toy:keras"),
        ("a/x.keras", Runtime.KERAS, "a/x.keras"),
        ("toy", Runtime.LITERT, "toy"),
        ("a/x.tflite", Runtime.LITERT, "a/x.tflite"),
    ],
)
def test_what_a_runtime_takes(name: str, runtime: Runtime | None, meant: str) -> None:
    assert for_runtime(name, runtime) == meant


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("a/x.tflite", Runtime.ONNX),
        ("a/x.json", Runtime.ONNX),
        ("toy:uint8", Runtime.ONNX),
        ("a/x.onnx", Runtime.LITERT),
        ("toy:onnx", Runtime.LITERT),
        ("toy:keras", Runtime.LITERT),
        ("toy:keras", Runtime.ONNX),
        ("toy:int8", Runtime.KERAS),
        ("a/x.tflite", Runtime.KERAS),
    ],
)
def test_what_a_runtime_cannot_take(name: str, runtime: Runtime) -> None:
    with pytest.raises(UsageError, match=f"--runtime {runtime.value} runs"):
        for_runtime(name, runtime)


def test_both_kinds_of_files_lie_side_by_side(home: Path) -> None:
    litert = write_model(home / "models" / "toy")
    onnx = write_model(home / "models" / "toy", variant="onnx-fp32", content=b"another")
    assert onnx.suffix == ".onnx"
    assert store.stored_variants("toy") == ("float32", "onnx-fp32")
    assert store.find("toy").path == litert
    assert store.find("toy:onnx").path == store.find("toy:onnx-fp32").path == onnx
    assert store.find(onnx).card.variant == "onnx-fp32"
    assert store.find(onnx.with_suffix(".json")).path == onnx
    assert installation.remove("toy:onnx") == (onnx,)
    assert store.stored_variants("toy") == ("float32",)


def test_a_missing_one_names_the_command_that_makes_it(home: Path) -> None:
    write_model(home / "models" / "toy")
    with pytest.raises(ModelMissingError) as caught:
        store.find("toy:onnx-int8")
    assert "facekit export toy --format onnx --precision int8 --install" in str(caught.value)
    with pytest.raises(ModelMissingError, match=r"No model file x\.onnx"):
        store.find("x.onnx")


def test_archives_carry_them(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    write_network(home / "models" / "toy")
    content = write_network(home / "models" / "toy", variant="onnx-fp16").read_bytes()
    archive = tmp_path / "toy.tar"
    export_models(["toy"], archive)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "elsewhere"))
    names = [model.path.name for model in import_models(archive)]
    assert names == ["toy_float32.tflite", "toy_onnx-fp16.onnx"]
    assert store.find("toy:onnx-fp16").path.read_bytes() == content


def test_a_file_of_ones_own_is_found_by_its_runtime_after_it_moved(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file is called, and whatever its card calls the variant."""
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    made = write_network(tmp_path / "made", variant="onnx-fp32")
    content = made.read_bytes()
    own = made.rename(tmp_path / "own.onnx")
    card = replace(read_card(made.with_suffix(".json")), variant="nhwc", file_name=own.name)
    own.with_suffix(".json").write_text(card.to_json())
    export_models([str(own)], tmp_path / "a.tar")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "elsewhere"))
    (imported,) = import_models(tmp_path / "a.tar")
    assert imported.path.name == "toy_onnx-fp32.onnx"
    assert store.find(for_runtime("toy", Runtime.ONNX)).path.read_bytes() == content


def test_two_files_of_one_variant_are_not_exported(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_model(tmp_path / "made", variant="onnx-fp32", content=b"mine")
    card = replace(read_card(first.with_suffix(".json")), variant="nhwc", file_name="toy_b.onnx")
    second = first.with_name("toy_b.onnx")
    second.write_bytes(first.read_bytes())
    second.with_suffix(".json").write_text(card.to_json())
    with pytest.raises(ModelMismatchError, match="Two of the files are toy:onnx-fp32"):
        export_models([str(first), str(second)], tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
