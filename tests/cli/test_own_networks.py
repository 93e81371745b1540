"""Networks that people bring, from ONNX all the way to an NPU, by the commands that they use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.model import store
from facekit.template.file import read_embeddings
from tests.networks.own_networks import EMBEDDING_SIZE, OWN_NETWORKS
from tests.schemas import require_schema
from tests.small_lfw import make_small_lfw

pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")
pytestmark = [pytest.mark.model]
FED = ("--preprocessing", "insightface", "--accept-untrained")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def told(command: str, *arguments: object) -> dict[str, Any]:
    """What a command prints with --json, which is as its schema says."""
    done = run(*command.split(), *arguments, "--json")
    assert done.exit_code in (0, 1), done.stderr
    payload: dict[str, Any] = json.loads(done.stdout)
    require_schema(command, payload)
    return payload


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store of the test's own, with the detector of the real one."""
    real = store.home()
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "home" / "models" / "mtcnn").symlink_to(real / "models" / "mtcnn")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("kind", OWN_NETWORKS)
def test_a_network_goes_from_onnx_to_integers_and_an_npu(
    home: Path, data: Path, tmp_path: Path, kind: str
) -> None:
    source = OWN_NETWORKS[kind](tmp_path / "mine.onnx")
    imported = told("models import", source, "--as", "mine", *FED)
    assert imported["embedding_size"] == EMBEDDING_SIZE
    assert imported["difference_to_source"] <= 1e-5
    photos = data / "obama.jpg", data / "obama2.jpg"
    verified = told("verify", *photos, "--model", "mine", "--threshold", 0.5)
    assert run("embed", *photos, "--model", "mine", "-o", tmp_path / "e.npz").exit_code == 0
    a, b = (row.vector for row in read_embeddings(tmp_path / "e.npz").rows)
    assert a is not None
    assert b is not None
    assert a.shape == (EMBEDDING_SIZE,)
    assert verified["similarity"] == pytest.approx(float(np.dot(a, b)), abs=1e-5)
    made = told("convert", "mine", "--int8", "--vela", "imx93", "-o", tmp_path / "out")
    by_variant = {file["variant"]: file for file in made["files"]}
    assert by_variant["int8"]["drift"]["cosine"]["mean"] > 0.95
    int8 = by_variant["int8"]["path"]
    again = told("verify", *photos, "--model", int8, "--threshold", 0.5)
    assert abs(again["similarity"] - verified["similarity"]) < 0.15
    (compiled,) = (file["vela"] for file in made["files"] if file["vela"])
    assert compiled["npu_share"] > 0.85


def test_all_other_commands_take_it_too(home: Path, data: Path, tmp_path: Path) -> None:
    """By its name, as after its first calibration on twelve pairs of photos."""
    pytest.importorskip("scipy", reason="needs the evaluate extra")
    source = OWN_NETWORKS["mobilefacenet"](tmp_path / "mine.onnx")
    told("models import", source, "--as", "mine", *FED)
    small = make_small_lfw(tmp_path / "small", data)
    calibrated = told("calibrate", "--data", small, "--model", "mine", "--fmr", 0.2, "--write")
    assert calibrated["model"] == "mine:float32"
    assert store.find("mine").card.calibration.operating_points
    measured = told("eval-lfw", "--data", small, "--model", "mine")
    assert measured["data_sets"][0]["models"][0]["model"].startswith("mine:")
    gallery = tmp_path / "people.sqlite"
    chosen = ("--gallery", gallery, "--model", "mine")
    told("enroll", "Obama", data / "obama.jpg", *chosen)
    told("identify", data / "obama2.jpg", *chosen, "--threshold", 0.1)
    told("cluster", small / "lfw" / "Joe_Biden", "--model", "mine", "--threshold", 0.5)
    archive = tmp_path / "board.tar.gz"
    packed = run("bundle", "mine", "--target", "cpu", "-o", archive)
    assert packed.exit_code == 0, packed.stderr
    told("models info", "mine")
    assert "mine" in run("models", "list").stdout


def filled_in(template: dict[str, Any], path: Path, **source: str) -> Path:
    template["source"] |= {"title": "trained here", "license": "our own"}
    path.write_text(json.dumps(template))
    return path


def test_a_file_with_its_card_is_used_by_its_path(home: Path, data: Path, tmp_path: Path) -> None:
    """Channels first, as it came; every command takes it as it takes the imported model."""
    source = OWN_NETWORKS["resnet-ir"](tmp_path / "mine.onnx")
    photos = data / "obama.jpg", data / "obama2.jpg"
    lonely = run("verify", *photos, "--model", source, "--threshold", 0.5)
    assert lonely.exit_code == 5
    assert "facekit models import FILE --as NAME" in lonely.stderr
    assert "facekit models card FILE --draft" in lonely.stderr
    compiled = run("compile", source)
    assert compiled.exit_code == 2
    assert "facekit convert NAME --int8 --vela imx93 -o" in compiled.stderr

    made = told("models card", source, "--draft", "--preprocessing", "insightface")
    assert made["to_fill_in"] == ["source.title", "source.license"]
    filled_in(made["card"], tmp_path / "mine.json")
    assert told("models card", source)["to_fill_in"] == []
    by_path = told("verify", *photos, "--model", source, "--threshold", 0.5)
    assert by_path["runtime"] == "onnx"
    told("models import", source, "--as", "stored", *FED)
    stored = told("verify", *photos, "--model", "stored", "--threshold", 0.5)
    assert by_path["similarity"] == pytest.approx(stored["similarity"], abs=1e-5)
    assert run("convert", source, "--float32", "-o", tmp_path / "out").exit_code == 0
    assert run("quantize", source, "-o", tmp_path / "out").exit_code == 0
    exported = tmp_path / "again.onnx"
    assert run("export", source, "--format", "onnx", "-o", exported).exit_code == 0
    for model in (tmp_path / "out" / "mine_float32.tflite", exported):
        again = told("verify", *photos, "--model", model, "--threshold", 0.5)
        assert again["similarity"] == pytest.approx(stored["similarity"], abs=1e-5)
    told("inspect", source)
    told("benchmark", "--model", source, "--stage", "embed", "--runs", 2, "--warmup", 1)


def test_models_move_to_another_machine_and_answer_alike(
    home: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file given by its path is stored by the name of its card, for ONNX Runtime as well."""
    source = OWN_NETWORKS["mobilefacenet"](tmp_path / "mine_nhwc.onnx")
    template = told("models card", source, "--draft", "--preprocessing", "insightface")["card"]
    filled_in(template | {"name": "mine", "variant": "nhwc"}, tmp_path / "mine_nhwc.json")
    told("models import", source, "--as", "mine", *FED)
    photos = data / "obama.jpg", data / "obama2.jpg"
    first = told("verify", *photos, "--model", "mine", "--threshold", 0.5)
    assert run("models", "export", "mine", source, "-o", tmp_path / "m.tar").exit_code == 0

    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "models").mkdir(parents=True)
    (tmp_path / "elsewhere" / "models" / "mtcnn").symlink_to(home / "models" / "mtcnn")
    assert run("models", "import", tmp_path / "m.tar").exit_code == 0
    assert store.stored_variants("mine") == ("float32", "onnx-fp32")
    for runtime in ("litert", "onnx"):
        again = told("verify", *photos, "--model", "mine", "--threshold", 0.5, "--runtime", runtime)
        assert again["runtime"] == runtime
        assert again["similarity"] == pytest.approx(first["similarity"], abs=1e-5)
