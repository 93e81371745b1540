"""convert, quantize, export and compile as functions, on a small net: records in, records out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.conversion.drift import Drift
from facekit.enums import ExportFormat, Precision
from facekit.errors import InputError, UsageError
from facekit.model.registry import DETECTOR
from facekit.model.store import InstalledModel, find, home, load_checked
from facekit.tasks import float32_source as source_task
from facekit.tasks.compile import compile_model
from facekit.tasks.convert import CalibrationPhotos, conversion_plan, convert
from facekit.tasks.export import export
from facekit.tasks.float32_source import float32_source
from facekit.tasks.quantize import quantize
from tests.networks.tiny_embedder import tiny_embedder
from tests.schemas import require_schema
from tests.small_lfw import home_of_its_own, make_small_lfw
from tests.told import Told

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")


@pytest.fixture
def tiny(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstalledModel:
    """A float32 model, and a store without any."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tiny_embedder(data, tmp_path / "source")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_plan_without_recipes_is_float32_and_npus_take_uint8() -> None:
    assert conversion_plan().float32
    plan = conversion_plan(vela=["imx93"])
    assert [recipe.variant for recipe in plan.recipes] == ["uint8"]
    assert not plan.float32
    assert [recipe.variant for recipe in conversion_plan(float16=True, int8=True).recipes] == [
        "float16",
        "int8",
    ]


def test_converted_files_are_written_and_installed(tiny: InstalledModel, tmp_path: Path) -> None:
    told = Told()
    out = tmp_path / "out"
    plan = conversion_plan(float32=True, int8=True)
    conversion = convert(str(tiny.path), plan, output=out, install="tiny", reporter=told)
    assert [file.path for file in conversion.files] == [
        home() / "models" / "tiny" / f"tiny_{variant}.tflite" for variant in ("float32", "int8")
    ]
    assert find("tiny:int8").card.to_json() == load_checked(out / "tiny_int8.tflite").card.to_json()
    assert told.notes[-1] == "installed: tiny:float32, tiny:int8"
    assert "measuring activations" in told.labels
    with pytest.raises(UsageError, match=r"tiny:int8 would be replaced.*--force"):
        convert(str(tiny.path), conversion_plan(int8=True), install="tiny")
    with pytest.raises(UsageError, match="other weights than tiny"):
        convert(str(tiny.path), conversion_plan(int8=True), install="sface")
    require_schema("convert", conversion.to_dict())
    assert len(repr(conversion)) < 2000  # no array, no card


def test_nothing_is_made_where_it_is_to_go_nowhere(tiny: InstalledModel) -> None:
    with pytest.raises(UsageError, match="-o DIR, or --install"):
        convert(str(tiny.path))
    with pytest.raises(UsageError, match="--vela needs -o"):
        convert(str(tiny.path), conversion_plan(vela=["imx93"]), install="tiny")


def test_what_convert_returns_is_the_json_of_the_command(
    tiny: InstalledModel, tmp_path: Path
) -> None:
    returned = convert(str(tiny.path), output=tmp_path / "a").to_dict()
    done = CliRunner().invoke(cli, ["convert", str(tiny.path), "-o", str(tmp_path / "b"), "--json"])
    printed = json.loads(done.stdout.replace(str(tmp_path / "b"), str(tmp_path / "a")))
    assert printed == {"schema_version": 1, **returned}
    require_schema("convert", printed)


def test_a_keras_files_folder_is_gone_with_its_context(
    tiny: InstalledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def from_keras(_path: Path, folder: Path, *_options: object) -> InstalledModel:
        assert folder.is_dir()
        folders.append(folder)
        return tiny

    keras = tmp_path / "mine.keras"
    monkeypatch.setattr(source_task, "_from_keras", from_keras)
    with float32_source(str(keras)) as source:
        assert source is tiny
    (folder,) = folders
    assert not folder.exists()


def test_a_quantized_file_of_an_unknown_model_is_not_started_from(
    tiny: InstalledModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = quantize(str(tiny.path), output=out)
    with (
        pytest.raises(
            UsageError, match=r"is int8, and the float32 model .* tiny:float32, is neither"
        ),
        float32_source(str(made.file.path)),
    ):
        pass


def test_quantize_writes_what_it_returns(tiny: InstalledModel, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = quantize(str(tiny.path), output=out, layers=True)
    assert names(out) == [
        f"tiny_int8{ending}" for ending in (".json", ".tflite", "_drift.json", "_recipe.json")
    ]
    assert json.loads((out / "tiny_int8_drift.json").read_text()) == {
        "schema_version": 1,
        **made.report(),
    }
    assert made.to_dict()["files"][0]["drift"] == made.report()
    require_schema("quantize", made.to_dict())
    assert [layer["key"] for layer in made.report()["layers"]] == [
        one.key for one in made.layers or ()
    ]
    assert made.accuracies is None
    assert isinstance(made.drift, Drift)
    assert made.drift.minimum > 0.99


@pytest.mark.model
def test_the_accuracy_before_and_after_is_that_of_view_1(
    tiny: InstalledModel, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEKIT_HOME")  # the detector is in the real store
    monkeypatch.setenv("FACEKIT_HOME", str(home_of_its_own(tmp_path / "own")))
    lfw = make_small_lfw(tmp_path, data)
    made = quantize(str(tiny.path), output=tmp_path / "out", evaluate_on=lfw)
    assert made.accuracies is not None
    before, after = made.accuracies
    assert (before.variant, after.variant) == ("float32", "int8")
    assert before.pair_count == after.pair_count == 7, "one pair has a photo without a face"
    require_schema("quantize", made.to_dict())


@pytest.mark.model
def test_photos_calibrate_and_others_measure_the_drift(
    tiny: InstalledModel, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEKIT_HOME")  # the detector is in the real store
    for name in ("obama", "biden"):
        for number in range(16):
            target = tmp_path / name / f"{number:02}.jpg"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(data / f"{name}.jpg", target)
    (tmp_path / "obama" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    told = Told()
    photos = CalibrationPhotos(tmp_path / "obama", count=17)
    made = quantize(
        str(tiny.path),
        output=tmp_path / "out",
        calibration=photos,
        drift_on=tmp_path / "biden",
        reporter=told,
    )
    calibrated = made.file.card.quantization.calibration
    assert (calibrated["title"][:5], calibrated["crops"]) == ("obama", 16)
    assert isinstance(made.drift, Drift)
    assert (made.drift.crops_title[:5], made.drift.crop_count) == ("biden", 16)
    assert [line for line in told.notes if line.startswith("left out: ")]
    with pytest.raises(InputError, match="at least 16 photos with a face"):
        quantize(str(tiny.path), output=tmp_path / "few", calibration=replace(photos, count=3))
    assert not (tmp_path / "few").exists()


def test_an_onnx_file_is_exported_and_installed(tiny: InstalledModel, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
    told = Told()
    output = tmp_path / "mine.onnx"
    exported = export(str(tiny.path), output=output, install="tiny", reporter=told)
    assert exported.path == output
    assert exported.card is not None
    assert exported.card.file_name == "mine.onnx"
    assert exported.drift is not None
    stored = find("tiny:onnx-fp32")
    assert stored.path.read_bytes() == output.read_bytes()
    assert stored.card.file_name == "tiny_onnx-fp32.onnx"
    assert told.notes[-1] == "installed: tiny:onnx-fp32"
    with pytest.raises(UsageError, match=r"tiny:onnx-fp32 would be replaced.*--force"):
        export(str(tiny.path), install="tiny")
    only_there = export(str(tiny.path), install="tiny", force=True)
    assert only_there.path == stored.path
    assert only_there.to_dict()["card"] == exported.to_dict()["card"]


def test_a_litert_file_is_copied_under_another_name(tiny: InstalledModel, tmp_path: Path) -> None:
    output = tmp_path / "copy.tflite"
    exported = export(str(tiny.path), ExportFormat.TFLITE, output=output)
    assert output.read_bytes() == tiny.path.read_bytes()
    assert load_checked(output).card.file_name == "copy.tflite"
    assert exported.size_bytes == output.stat().st_size
    with pytest.raises(UsageError, match="--force"):
        export(str(tiny.path), ExportFormat.TFLITE, output=output)
    with pytest.raises(UsageError, match="are for --format onnx"):
        export(str(tiny.path), ExportFormat.TFLITE, output=output, precision=Precision.INT8)


@pytest.mark.model
def test_a_detector_is_not_converted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{DETECTOR}:pnet is for detection"):
        convert(f"{DETECTOR}:pnet", output=tmp_path / "out")


def test_compiled_models_lie_beside_their_source_unless_said_otherwise(
    data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
    model = Path(shutil.copy(data / "tiny" / "int8.tflite", tmp_path))
    told = Told()
    compiled = compile_model(model, bandwidths=False, reporter=told)
    assert compiled.path == tmp_path / "model_imx93" / "int8_vela.tflite"
    assert told.notes == ["compiling int8.tflite for NXP i.MX 93, Ethos-U65"]
    report = json.loads(compiled.report_path.read_text())
    returned = json.loads(json.dumps(compiled.to_dict()))["vela"]
    assert report == {"schema_version": 1, **returned, "made": report["made"]}
    with pytest.raises(UsageError, match="No target is called 'imx12'"):
        compile_model(model, target="imx12")
