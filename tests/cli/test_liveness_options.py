"""facekit verify --liveness: what is told, what is refused, and a detector's way into the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.model import store
from facekit.model.card import Task
from facekit.photo.decode import read_image
from facekit.photo.write import write_png
from tests.made_up_attacks import made_up_print
from tests.networks.tiny_pad import write_pad
from tests.schemas import require_schema

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2 = DATA / "obama.jpg", DATA / "obama2.jpg"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("liveness")


@pytest.fixture(scope="module")
def printed(folder: Path) -> Path:
    """A made-up print of obama.jpg, in which the face is found and recognized."""
    write_png(folder / "printed.png", made_up_print(read_image(OBAMA), 0))
    return folder / "printed.png"


@pytest.fixture(scope="module", params=["float32", "onnx-fp32"])
def detector(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A tiny detector as a LiteRT and as an ONNX file, with its card beside it."""
    return write_pad(folder, variant=request.param)


@pytest.mark.model
def test_report_tells_of_both_faces_and_leaves_the_decision(detector: Path, printed: Path) -> None:
    asked = ("--liveness", "report", "--liveness-model", detector)
    told = run("verify", printed, OBAMA2, *asked, "--json")
    assert told.exit_code == 0, told.stderr
    require_schema("verify", answer := json.loads(told.stdout))
    attack, live = answer["liveness"]["img1"], answer["liveness"]["img2"]
    assert (attack["decision"], live["decision"]) == ("attack", "bona_fide")
    assert attack["bona_fide_score"] < 0.5 <= live["bona_fide_score"]
    assert live["model"] == f"tinypad:{detector.stem.removeprefix('tinypad_')}"

    text = run("verify", printed, OBAMA2, *asked)
    assert "printed.png: attack, as tinypad" in text.stdout.replace("\n  ", " ")
    assert "bona fide score" in text.stdout


@pytest.mark.model
def test_require_refuses_an_attack_by_exit_code_3(detector: Path, printed: Path) -> None:
    asked = ("--liveness", "require", "--liveness-model", detector)
    assert run("verify", OBAMA, OBAMA2, *asked).exit_code == 0
    refused = run("verify", OBAMA, printed, *asked, "--json")
    assert refused.exit_code == 3
    error = json.loads(refused.stdout)["error"]
    assert error["type"] == "PresentationAttackError"
    assert "printed.png" in error["message"]


@pytest.mark.model
def test_a_face_that_cannot_be_classified_is_told_and_refused(detector: Path) -> None:
    """Without detection there is no box about which to crop."""
    photos = ("verify", OBAMA, OBAMA2, "--no-detect", "--liveness-model", detector)
    told = json.loads(run(*photos, "--liveness", "report", "--json").stdout)
    assert told["liveness"]["img1"]["decision"] == "non_response"
    assert told["liveness"]["img1"]["bona_fide_score"] is None
    refused = run(*photos, "--liveness", "require")
    assert refused.exit_code == 3
    assert "it says nothing" in refused.stderr


@pytest.mark.model
def test_without_the_option_nothing_is_said_of_attacks() -> None:
    answer = json.loads(run("verify", OBAMA, OBAMA2, "--json").stdout)
    assert answer["liveness"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--liveness", "report"), "which facekit does not choose for you"),
        (("--liveness-model", "x"), "needs --liveness report"),
        (("--liveness", "report", "--pairs", "list.csv"), "goes with two photos"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(options: tuple[str, ...], said: str) -> None:
    photos = () if "--pairs" in options else (OBAMA, OBAMA2)
    result = run("verify", *photos, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.model
def test_a_model_for_another_task_is_no_detector_of_attacks() -> None:
    result = run("verify", OBAMA, OBAMA2, "--liveness", "report", "--liveness-model", "mtcnn")
    assert result.exit_code == 5
    assert "A presentation attack detector is needed" in result.stderr


def test_a_network_of_another_form_than_its_card_says_is_refused(tmp_path: Path) -> None:
    path = write_pad(tmp_path)
    card = path.with_suffix(".json")
    content = json.loads(card.read_text())
    content["pad"]["classes"] = ["attack", "bona_fide"]
    card.write_text(json.dumps(content))
    asked = ("--liveness", "report", "--liveness-model", path)
    result = run("verify", OBAMA, OBAMA2, *asked)
    assert result.exit_code == 5
    assert "is not as its card says" in " ".join(result.stderr.split())


def test_a_draft_for_minifasnet_has_all_but_who_made_it_and_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny network has MiniFASNet's input and output."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    network = write_pad(tmp_path, "fas", "onnx-fp32").rename(tmp_path / "fas.onnx")
    card = tmp_path / "fas.json"
    drafted = run("models", "card", network, "--draft", "--pad", "minifasnet-v2", "-o", card)
    assert drafted.exit_code == 0, drafted.stderr
    told = run("models", "card", network, "--draft", "--pad", "minifasnet-v2", "--json")
    require_schema("models card", json.loads(told.stdout))
    content = json.loads(card.read_text())
    assert (content["task"], content["crop"], content["embedding_size"]) == (
        *(Task.PAD.value, None, 0),
    )
    assert content["input"] == {
        "height_px": 80,
        "width_px": 80,
        "color_order": "bgr",
        "mean": 0.0,
        "std": 1.0,
    }
    pad = content["pad"]
    assert (pad["crop_scale"], pad["classes"].index(pad["bona_fide"]), pad["scores"]) == (
        *(2.7, 1, "logits"),
    )
    content["source"] |= {"title": "minivision", "license": "Apache-2.0"}
    card.write_text(json.dumps(content))

    done = run("models", "import", network, "--as", "fas", "--json")
    assert done.exit_code == 0, done.stderr
    require_schema("models import", json.loads(done.stdout))
    assert store.find("fas").card.pad is not None
    assert run("models", "import", network, "--as", "fas").exit_code == 2
    assert run("models", "import", network, "--as", "fas", "--force").exit_code == 0
    assert run("models", "card", "fas").exit_code == 0
    assert run("models", "info", "fas").exit_code == 0
    assert "attacks" in run("models", "list").stdout


def test_the_draft_of_another_detector_says_what_is_to_be_filled_in(tmp_path: Path) -> None:
    network = write_pad(tmp_path, "fas", "float32").rename(tmp_path / "fas.tflite")
    told = json.loads(run("models", "card", network, "--draft", "--pad", "other", "--json").stdout)
    assert {"pad.crop_scale", "pad.classes", "pad.bona_fide", "input.mean"} <= {*told["to_fill_in"]}
    assert "crop" not in told["to_fill_in"]
    beside = run("models", "card", network, "--draft", "--pad", "other", "--preprocessing", "raw")
    assert beside.exit_code == 2
