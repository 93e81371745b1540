"""What is refused as too poor to be recognized, and what is said of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

import facekit
from facekit.cli import cli
from facekit.enums import CropRule, ResizeFilter
from facekit.face.align import crop_faces
from facekit.model import store
from facekit.photo.decode import read_image
from facekit.photo.write import write_png
from facekit.types import CropSpec
from tests.networks.own_networks import rating
from tests.schemas import require_schema
from tests.text_tables import rows

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2 = str(DATA / "obama.jpg"), str(DATA / "obama2.jpg")

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def blurred(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A portrait so unsharp that its face is still found, and not recognized."""
    path = tmp_path_factory.mktemp("poor") / "blurred.png"
    pixels = read_image(DATA / "obama2.jpg")
    pixels[:] = cv2.GaussianBlur(pixels, (0, 0), 24)
    write_png(path, pixels)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_the_poorer_photo_has_the_lower_score_and_what_is_lowest_is_named(blurred: str) -> None:
    result = run("quality", OBAMA, blurred, "--min-quality", "60")
    assert result.exit_code == 1, result.stderr
    header, good, poor = rows(result.stdout)
    assert header == ["FACE", "QUALITY", "LOWEST", "PHOTO"]
    assert int(good[1]) > 90 > 60 > int(poor[1])
    assert "sharpness" in poor[2]


def test_verify_refuses_a_face_below_the_least_quality(blurred: str) -> None:
    assert run("verify", OBAMA, OBAMA2, "--min-quality", "90").exit_code == 0
    refused = run("verify", OBAMA, blurred, "--min-quality", "90", "--json")
    assert refused.exit_code == 3
    error = json.loads(refused.stdout)["error"]
    assert error["type"] == "LowQualityError"
    assert "blurred.png" in error["message"]
    assert "sharpness" in error["message"]


def test_a_pair_below_the_least_quality_fails_alone(blurred: str, tmp_path: Path) -> None:
    pairs, output = tmp_path / "pairs.csv", tmp_path / "out.csv"
    pairs.write_text(f"{OBAMA},{OBAMA2}\n{OBAMA},{blurred}\n")
    result = run("verify", "--pairs", str(pairs), "--min-quality", "90", "-o", str(output))
    assert result.exit_code == 3
    good, poor = csv.DictReader(output.read_text().splitlines())
    assert (good["verified"], poor["verified"]) == ("true", "")
    assert poor["error"].startswith("LowQualityError: ")


def test_a_least_quality_needs_a_detected_face() -> None:
    result = run("verify", OBAMA, OBAMA2, "--no-detect", "--min-quality", "1")
    assert result.exit_code == 2
    assert "a photo in which the face is found" in result.stderr


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store of the test's own, with the detector of the real one."""
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "home" / "models" / "mtcnn").symlink_to(store.home() / "models" / "mtcnn")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_network_with_the_head_of_ediffiqa_is_imported_and_rates_in_place_of_the_formula(
    home: Path, blurred: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    session = pytest.importorskip("onnxruntime").InferenceSession
    source = rating(tmp_path / "rating.onnx")
    imported = run(
        "models", "import", str(source), "--as", "rating", "--quality-range", "0.2", "0.9", "--json"
    )
    assert imported.exit_code == 0, imported.stderr
    payload = json.loads(imported.stdout)
    require_schema("models import", payload)
    assert payload["quality"] == {"worst": 0.2, "best": 0.9}
    assert (payload["embedding_size"], payload["face_check"]) == (0, None)
    assert "facekit quality --quality-model rating" in imported.stderr

    result = run("quality", OBAMA, blurred, "--quality-model", "rating", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    require_schema("quality", told)
    assert told["quality_model"] == "rating:float32"
    faces = [photo["faces"][0] for photo in told["photos"]]
    good, poor = (face["quality"]["unified_score"] for face in faces)
    assert good > 20 + poor

    # ONNX Runtime on the file itself, fed as OpenCV's example feeds eDifFIQA.
    (photo,) = facekit.detect([OBAMA])
    spec = CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR)
    (crop,) = crop_faces(photo.picture.pixels, photo.selected, spec, height_px=112, width_px=112)
    picture = ((crop / 255 - 0.5) / 0.5).astype(np.float32).transpose(2, 0, 1)[np.newaxis]
    ((answer,),) = session(str(source)).run(None, {"picture": picture})[0]
    assert good == pytest.approx(100 * (answer - 0.2) / 0.7, abs=0.02)

    ((by_python,),) = facekit.quality([OBAMA], quality_model="rating")
    assert round(by_python.unified_score, 2) == good
    ((by_formula,),) = facekit.quality([OBAMA])
    components = {**by_formula.to_dict(), "unified_score": good}
    assert faces[0]["quality"] == components


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "pass --quality-range"),
        (("--quality-range", "1", "1"), "two different numbers"),
        (("--quality-range", "1", "0"), "does not rate blurred faces as poorer"),
    ],
)
def test_what_does_not_rate_faces_is_not_imported(
    home: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    source = rating(tmp_path / "rating.onnx")
    result = run("models", "import", str(source), "--as", "rating", *options)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not (home / "models" / "rating").exists()


def test_an_embedding_network_rates_no_faces_and_a_rating_network_compares_none(
    home: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
    wrong = run("quality", OBAMA, "--quality-model", "mtcnn")
    assert wrong.exit_code == 5
    assert "A network that rates faces is needed. mtcnn" in wrong.stderr
    source = rating(tmp_path / "rating.onnx")
    run("models", "import", str(source), "--as", "rating", "--quality-range", "0", "1")
    for command in (("verify", OBAMA, OBAMA2), ("embed", OBAMA, "-o", str(tmp_path / "e.npz"))):
        refused = run(*command, "--model", "rating")
        assert refused.exit_code == 5
        assert "is for quality" in refused.stderr
    assert run("models", "list").exit_code == run("models", "info", "rating").exit_code == 0


def test_enroll_refuses_what_would_not_be_found_again(blurred: str, tmp_path: Path) -> None:
    def enrolled(gate: str, *photos: str) -> tuple[int, int]:
        gallery = str(tmp_path / f"{gate}.db")
        told = run("enroll", "Ada", *photos, "--quality", gate, "--gallery", gallery, "--json")
        (person,) = json.loads(told.stdout)["people"]
        assert {one["error"]["type"] for one in person["failed"]} <= {"LowQualityError"}
        return person["added_count"], told.exit_code

    assert enrolled("standard", OBAMA, blurred) == (1, 3)
    assert enrolled("strict", OBAMA) == (1, 0)
    assert enrolled("off", OBAMA, blurred) == (2, 0)
