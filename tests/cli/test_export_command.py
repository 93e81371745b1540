"""facekit export, and every command that takes what it makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.model.registry import DEFAULT_MODEL, DETECTOR
from facekit.model.store import find, home, load_checked
from facekit.template.file import read_embeddings
from tests.schemas import require_schema
from tests.small_lfw import make_small_lfw
from tests.text_tables import require_readable

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

DATA = Path(__file__).parents[1] / "data"
PHOTOS = [str(DATA / name) for name in ("obama.jpg", "obama2.jpg", "biden.jpg")]
SAME, OTHER = PHOTOS[:2], PHOTOS[::2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the detector, the default model and its ONNX file."""
    folder = tmp_path_factory.mktemp("store")
    for name in (DETECTOR, DEFAULT_MODEL):
        into = folder / "models" / name
        into.mkdir(parents=True)
        for path in (home() / "models" / name).iterdir():
            if "onnx" not in path.name:
                (into / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(folder))
        patch.setattr("facekit.conversion.onnx.DRIFT_CROPS", 6)
        result = run("export", "--format", "onnx", "--install", DEFAULT_MODEL, "--json")
    assert result.exit_code == 0, result.stderr
    assert f"installed: {DEFAULT_MODEL}:onnx-fp32" in result.stderr
    payload = json.loads(result.stdout)
    require_schema("export", payload)
    stored = folder / "models" / DEFAULT_MODEL / f"{DEFAULT_MODEL}_onnx-fp32.onnx"
    assert payload["files"][0]["path"] == str(stored)
    assert payload["card"]["variant"] == "onnx-fp32"
    assert payload["drift"]["cosine"]["minimum"] > 1 - 1e-6
    assert "fmr=1e-3" in payload["card"]["operating_points"]
    return folder


@pytest.fixture
def in_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEKIT_HOME", str(store))
    return store


@pytest.mark.model
@pytest.mark.usefixtures("in_store")
class TestInTheStore:
    def test_verify_by_either_runtime_gives_the_same(self) -> None:
        by_onnx, by_litert = (
            json.loads(run("verify", *SAME, "--runtime", runtime, "--json").stdout)
            for runtime in ("onnx", "litert")
        )
        assert by_onnx["verified"]
        assert by_onnx["similarity"] == pytest.approx(by_litert["similarity"], abs=1e-5)
        assert by_onnx["threshold"] == by_litert["threshold"]
        assert (by_onnx["runtime"], by_litert["runtime"]) == ("onnx", "litert")
        assert by_onnx["providers"] == ["CPUExecutionProvider"]
        assert by_litert["providers"] is None
        assert run("verify", *OTHER, "--model", f"{DEFAULT_MODEL}:onnx").exit_code == 1

    def test_either_runtime_embeds_alike_and_files_are_not_mixed(self, tmp_path: Path) -> None:
        files = {}
        for runtime in ("onnx", "litert"):
            files[runtime] = tmp_path / f"{runtime}.npz"
            result = run("embed", *PHOTOS, "--runtime", runtime, "-o", files[runtime])
            assert result.exit_code == 0, result.stderr
        vectors = [read_embeddings(path).vectors for path in files.values()]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
        # They are of two files all the same, and thresholds are bound to a file.
        mixed = run("verify", files["litert"], PHOTOS[0], "--runtime", "onnx", "--face", "all")
        assert mixed.exit_code == 5

    def test_a_missing_provider_is_exit_code_6(self) -> None:
        wanted = ("--runtime", "onnx", "--provider", "NoSuchExecutionProvider")
        result = run("verify", *SAME, *wanted, "--json")
        assert result.exit_code == 6
        assert json.loads(result.stdout)["error"]["type"] == "AcceleratorError"
        assert "has no NoSuchExecutionProvider" in result.stderr
        allowed = run("verify", *SAME, *wanted, "--allow-cpu-fallback", "--json")
        assert allowed.exit_code == 0
        payload = json.loads(allowed.stdout)
        assert payload["providers"] == ["CPUExecutionProvider"]
        assert "has no NoSuchExecutionProvider" in payload["cpu_fallback"]

    def test_a_precision_that_is_not_there_is_named(self) -> None:
        result = run("verify", *SAME, "--runtime", "onnx", "--model", f"{DEFAULT_MODEL}:int8")
        assert result.exit_code == 5
        assert "--format onnx --precision int8 --install" in result.stderr

    def test_benchmark_names_the_provider(self) -> None:
        result = run(
            *("benchmark", "--runtime", "onnx", "--stage", "embed", "--batch", 2),
            *("--runs", 1, "--warmup", 0, "--json"),
        )
        assert result.exit_code == 0, result.stderr
        (one,) = json.loads(result.stdout)["measurements"]
        assert one["model"] == f"{DEFAULT_MODEL}:onnx-fp32"
        assert one["delegate"]["name"] == "CPUExecutionProvider"
        assert one["macs"] == 1_417_662_304
        assert one["peak_fraction"] > 0

    def test_inspect_info_and_doctor(self, in_store: Path) -> None:
        path = in_store / "models" / DEFAULT_MODEL / f"{DEFAULT_MODEL}_onnx-fp32.onnx"
        inspected = json.loads(run("inspect", path, "--json").stdout)
        assert inspected["parameters"]["total"] == 23_497_424
        assert inspected["operators"]["Conv"] == 132
        assert inspected["card"]["variant"] == "onnx-fp32"
        assert "onnx-fp32" in run("models", "info", f"{DEFAULT_MODEL}:onnx").stdout
        found = json.loads(run("doctor", "--json").stdout)
        assert "CPUExecutionProvider" in found["onnx_providers"]
        assert f"{DEFAULT_MODEL}:onnx-fp32" in [model["model"] for model in found["models"]]

    def test_a_file_of_ones_own_is_calibrated(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.onnx"
        result = run("export", "--format", "onnx", "-o", path)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith(f"file  {path}\nsize  94.0 MB\n")
        require_readable(result.stdout)
        assert load_checked(path, read_all=True).card.variant == "onnx-fp32"
        small = make_small_lfw(tmp_path / "small", DATA)
        done = run(
            *("calibrate", "--data", small, "--model", path, "--fmr", "0.2", "--workers", 1),
            *("--write", "--json"),
        )
        assert done.exit_code == 0, done.stderr
        (point, *_) = load_checked(path).card.calibration.operating_points
        assert (point.target, point.dataset, point.n_impostor) == ("fmr=2e-1", "lfw", 16)
        evaluated = run("eval-lfw", "--data", small, "--model", path, "--workers", 1, "--json")
        assert evaluated.exit_code == 0, evaluated.stderr
        (result,) = json.loads(evaluated.stdout)["data_sets"][0]["models"]
        assert result["model"].endswith(":onnx-fp32")
        same = run("verify", *SAME, "--model", path, "--fmr", "0.2")
        assert same.exit_code == 0, same.stderr


class TestRefused:
    """Before any model is looked for, but for the last."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "Say where the file shall go"),
            (("-o", "x.tflite"), "ends in .onnx"),
            (("-o", "my file.onnx"), "letters, digits"),
            (("-o", "x.keras"), "ends in .onnx"),
            (("-o", "x.onnx", "--range-rule", "entropy"), "are for --precision int8"),
            (("-o", "x.onnx", "--calibration", "photos"), "are for --precision int8"),
        ],
    )
    def test_options_that_cannot_be_meant(self, arguments: tuple[str, ...], said: str) -> None:
        result = run("export", "--format", "onnx", *arguments)
        assert result.exit_code == 2
        assert said in result.stderr

    def test_a_file_that_exists_is_replaced_by_force_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "x.onnx"
        path.write_bytes(b"mine")
        result = run("export", "--format", "onnx", "-o", path)
        assert result.exit_code == 2
        assert "--force" in result.stderr
        assert path.read_bytes() == b"mine"

    @pytest.mark.model
    def test_a_detector_is_not_exported(self, tmp_path: Path) -> None:
        result = run("export", DETECTOR, "--format", "onnx", "-o", tmp_path / "x.onnx")
        assert result.exit_code == 2
        assert "A model for embedding is needed" in result.stderr


@pytest.mark.model
def test_the_litert_format_is_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    result = run("export", "--format", "tflite", "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    payload = json.loads(result.stdout)
    require_schema("export", payload)
    assert (payload["card"]["variant"], payload["drift"]) == ("float32", None)
    assert path.read_bytes() == find(DEFAULT_MODEL).path.read_bytes()
    assert load_checked(path, read_all=True).card.file_name == "copy.tflite"
    refused = run(
        "export", "--format", "tflite", "--precision", "int8", "-o", tmp_path / "y.tflite"
    )
    assert refused.exit_code == 2
    assert "facekit convert" in refused.stderr


@pytest.mark.model
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        pytest.param("saved-model", "x", marks=(pytest.mark.tensorflow, pytest.mark.slow)),
        ("facenet-pytorch", "x.pt"),
    ],
)
def test_files_for_other_systems(wanted: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    result = run("export", "--format", wanted, "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    payload = json.loads(result.stdout)
    require_schema("export", payload)
    assert (payload["card"], payload["drift"]) == (None, None)
    assert payload["files"][0]["size_bytes"] > 90_000_000
    assert [one.name for one in tmp_path.iterdir()] == [name]
    again = run("export", "--format", wanted, "-o", path)
    assert again.exit_code == 2
    assert "--force" in again.stderr
