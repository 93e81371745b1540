"""facekit convert and facekit quantize: text, JSON, exit codes, what the store gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.enums import Architecture
from facekit.graph.nets.designs import DESIGNS
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find, home, load_checked
from facekit.photo.decode import read_image
from tests.schemas import require_schema
from tests.text_tables import require_readable

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.mark.model
def test_without_flags_the_float32_file(tmp_path: Path) -> None:
    result = run("convert", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    path = tmp_path / f"{DEFAULT_MODEL}_float32.tflite"
    assert result.stdout == f"file  {path}\nsize  93.9 MB\n"
    require_readable(result.stdout)
    assert path.read_bytes() == find(DEFAULT_MODEL).path.read_bytes()
    assert load_checked(path, read_all=True).card.variant == "float32"
    again = run("convert", "-o", tmp_path)
    assert again.exit_code == 2
    assert "--force" in again.stderr


@pytest.mark.model
def test_a_recipe_its_report_and_its_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out, picture = tmp_path / "out", tmp_path / "drift.png"
    recipe = ("--recipe", "dynamic_wi8_afp32")
    result = run(
        "quantize", DEFAULT_MODEL, *recipe, "-o", out, "--layers", "--plot", picture, "--json"
    )
    assert result.exit_code == 0, result.stderr
    payload = json.loads(result.stdout)
    require_schema("quantize", payload)
    (file,) = payload["files"]
    assert file["path"] == str(out / f"{DEFAULT_MODEL}_dynamic8.tflite")
    assert file["input_formula"].startswith("x = (pixel - 127.5) / 128, float32")
    assert file["drift"]["cosine"]["minimum"] > 0.99
    assert len(file["drift"]["layers"]) == 181
    report = json.loads((out / f"{DEFAULT_MODEL}_dynamic8_drift.json").read_text())
    assert report == {"schema_version": 1, **file["drift"]}
    assert (read_image(picture) < 128).any()  # not blank; test_drift looks at what is drawn
    # A quantized file is traced to what it was made from, and the photos are checked first.
    (tmp_path / "few").mkdir()
    shutil.copy(Path(__file__).parents[1] / "data" / "obama.jpg", tmp_path / "few")
    traced = run("quantize", file["path"], "--calibration", tmp_path / "few", "-o", tmp_path / "x")
    assert traced.exit_code == 4
    assert f"starting from {DEFAULT_MODEL}" in traced.stderr
    assert "at least 16 photos with a face" in traced.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.model
def test_installed_variants_answer_to_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = home() / "models"
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    shutil.copytree(models / DEFAULT_MODEL, tmp_path / "models" / DEFAULT_MODEL)
    result = run("convert", "--int8", "--install", DEFAULT_MODEL, "--json")
    assert result.exit_code == 0, result.stderr
    (payload,) = json.loads(result.stdout)["files"]
    installed = find(f"{DEFAULT_MODEL}:int8")
    assert payload["path"] == str(installed.path)
    assert payload["sha256"] == installed.card.file_sha256
    assert find(DEFAULT_MODEL).card.variant == "float32"


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["convert", "--int8"], 2, "-o DIR, or --install"),
        (["convert", "--vela", "--install", "mine"], 2, "--vela needs -o"),
        (["convert", "--vela", "imx12", "-o", "out"], 2, "No target is called 'imx12'"),
        (["convert", "nobody", "-o", "out"], 5, "No model is called 'nobody'"),
        (["convert", "broken.tflite", "-o", "out"], 5, "No card"),
        (["convert", "mine.keras", "-o", "out"], 2, "needs --architecture"),
        (
            ["convert", "--architecture", "inception-resnet-v1", "-o", "out"],
            2,
            "are for Keras files",
        ),
        (
            ["convert", "none.keras", "--architecture", "inception-resnet-v1", "-o", "out"],
            2,
            "no Keras file none.keras",
        ),
        (["quantize", DEFAULT_MODEL, "--evaluate-on", "empty", "-o", "out"], 4, "is not LFW"),
        (["quantize", DEFAULT_MODEL, "--recipe", "int3", "-o", "out"], 2, "No recipe"),
    ],
)
def test_what_cannot_be_meant(
    arguments: list[str], code: int, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before any model is looked for."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    refused(arguments, code, complaint, tmp_path, monkeypatch)


@pytest.mark.model
@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["convert", "mtcnn:pnet", "--int8", "-o", "out"], 2, "for detection"),
        (["convert", "--calibration", "empty", "--int8", "-o", "out"], 4, "no photo"),
        (
            ["convert", "--calibration", "none", "--int8", "-o", "out"],
            4,
            "none cannot be read: No such file",
        ),
    ],
)
def test_what_cannot_be_done(
    arguments: list[str], code: int, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(arguments, code, complaint, tmp_path, monkeypatch)


def refused(
    arguments: list[str], code: int, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, in a folder with a broken model and a folder without photos."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.tflite").write_bytes(b"TFL3 no more")
    (tmp_path / "empty").mkdir()
    result = run(*arguments)
    assert result.exit_code == code, result.stderr
    assert complaint in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras on NumPy 2
def test_a_keras_file_of_ones_own(tmp_path: Path) -> None:
    from facekit.training.keras_graph import to_keras

    path = tmp_path / "mine.keras"
    untrained = DESIGNS[Architecture.INCEPTION_RESNET_V1].untrained(embedding_size=512, seed=0)
    to_keras(untrained).save(path)
    arch = ("--architecture", "inception-resnet-v1")
    result = run("convert", path, *arch, "--float16", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    card = load_checked(tmp_path / "out" / "mine_float16.tflite").card
    assert (card.name, card.variant) == ("mine", "float16")
    assert card.source.title == "Keras model: mine.keras"
    path.write_bytes(path.read_bytes()[:5000])
    damaged = run("convert", path, *arch, "--force", "-o", tmp_path / "out")
    assert damaged.exit_code == 5
    assert "is in no format that facekit knows" in damaged.stderr
