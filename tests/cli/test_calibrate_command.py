"""facekit calibrate on a small LFW with the real model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.model.card import read_card, space_of
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from tests.schemas import require_schema
from tests.small_lfw import home_of_its_own, make_small_lfw
from tests.text_tables import require_readable

pytest.importorskip("scipy", reason="needs the evaluate extra")


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = home_of_its_own(tmp_path_factory.mktemp("home") / "facekit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(folder))
        patch.delenv("FACEKIT_LFW", raising=False)
        yield folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, data: Path, own_home: Path) -> Path:
    return make_small_lfw(tmp_path_factory.mktemp("small"), data)


@pytest.fixture
def own_model(own_home: Path, tmp_path: Path) -> Path:
    """A copy of the default model that a test may write the card of."""
    source = find(DEFAULT_MODEL).path
    for path in (source, source.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    return tmp_path / source.name


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(cli, [command, *map(str, arguments)])


@pytest.mark.model
def test_the_result_is_shown_and_not_written(small: Path, own_model: Path) -> None:
    before = own_model.with_suffix(".json").read_bytes()
    result = run("calibrate", "--data", small, "--model", own_model, "--fmr", "0.2")
    assert result.exit_code == 0, result.output
    assert "on 8 photos of 2 people, 0 without an embedding" in result.stdout
    assert "fmr=2e-1" in result.stdout
    assert "pass --write to use it" in result.stdout
    require_readable(result.stdout)
    assert own_model.with_suffix(".json").read_bytes() == before


@pytest.mark.model
def test_a_folder_a_person_needs_no_list(small: Path, own_model: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for name in ("Barack_Obama", "Joe_Biden"):
        (people / name).symlink_to(small / "lfw" / name)
    result = run("calibrate", "--data", people, "--protocol", "folders", "--model", own_model,
                 "--fmr", "0.2", "--write", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["people_count"] == 2
    point = read_card(own_model.with_suffix(".json")).calibration.operating_point("fmr=2e-1")
    assert (point.n_genuine, point.n_impostor) == (12, 16)  # four photos of each of two people
    assert point.protocol == "every pair of the photos of all people"


@pytest.mark.model
def test_what_is_written_is_what_verify_uses(small: Path, own_model: Path, data: Path) -> None:
    result = run("calibrate", "--data", small, "--model", own_model, "--fmr", "0.2", "--write",
                 "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    payload = json.loads(result.stdout)
    require_schema("calibrate", payload)
    assert payload["written"] is True
    card = read_card(own_model.with_suffix(".json"))
    point = card.calibration.operating_point("fmr=2e-1")
    assert point.n_impostor == 16  # four photos by four
    assert point.dataset == "lfw"
    assert payload["calibration"]["operating_points"][0]["threshold_similarity"] == (
        point.threshold_similarity
    )
    pictures = (data / "obama.jpg", data / "obama2.jpg")
    shown = run("verify", *pictures, "--model", own_model, "--fmr", "0.2", "--json")
    assert shown.exit_code == 0, shown.output
    verified = json.loads(shown.stdout)
    assert verified["threshold_similarity"] == point.threshold_similarity
    assert verified["fmr_at_most"] >= point.fmr
    assert verified["probability"] > 0.5
    assert verified["probability_meaning"] == (
        "of the same person, assuming half of all pairs match; fitted on 12 pairs"
    )


@pytest.mark.model
@pytest.mark.parametrize("suffix", ["npz", "csv", "jsonl"])
def test_what_was_embedded_before_is_compared_as_if_embedded_anew(
    small: Path, own_model: Path, data: Path, tmp_path: Path, suffix: str
) -> None:
    a, b = data / "obama.jpg", data / "obama2.jpg"
    file = tmp_path / f"obama.{suffix}"
    assert run("embed", a, "-o", file, "--model", own_model).exit_code == 0
    before = run("verify", a, b, "--model", own_model, "--json")
    calibrated = run("calibrate", "--data", small, "--model", own_model, "--fmr", "0.2", "--write")
    assert calibrated.exit_code == 0, calibrated.output
    verified = [
        json.loads(run("verify", one, b, "--model", own_model, "--fmr", "0.2", "--json").stdout)
        for one in (a, file)
    ]
    assert verified[1]["similarity"] == pytest.approx(verified[0]["similarity"], abs=1e-6)
    assert abs(verified[0]["similarity"] - json.loads(before.stdout)["similarity"]) > 1e-3


@pytest.mark.model
def test_the_enrolled_stay_and_are_brought_over_by_one_command(
    small: Path, own_model: Path, data: Path, tmp_path: Path
) -> None:
    a, b = data / "obama.jpg", data / "obama2.jpg"
    options = ("--gallery", tmp_path / "people.db", "--model", own_model)
    anew = ("--gallery", tmp_path / "anew.db", "--model", own_model)
    assert run("enroll", "Obama", a, *options).exit_code == 0
    assert run("calibrate", "--data", small, "--model", own_model, "--fmr", "0.2",
               "--write").exit_code == 0  # fmt: skip
    refused = run("identify", b, "--threshold", "0.5", *options)
    assert refused.exit_code == 5
    assert "embedding mean" in refused.stderr
    assert "facekit gallery recenter" in refused.stderr
    other_crop = run("gallery", "recenter", "--margin", "10", *options)
    assert other_crop.exit_code == 5
    assert "crop rule" in other_crop.stderr
    for changed in (1, 0):
        told = json.loads(run("gallery", "recenter", *options, "--json").stdout)
        assert (told["gallery"], told["template_count"]) == (str(options[1]), 1)
        assert told["changed_count"] == changed
    assert run("enroll", "Obama", a, *anew).exit_code == 0
    similarities = [
        json.loads(run("identify", b, "--threshold", "0.5", "--json", *where).stdout)["photos"][0][
            "faces"
        ][0]["candidates"][0]["similarity"]
        for where in (options, anew)
    ]
    assert similarities[0] == pytest.approx(similarities[1], abs=1e-6)


@pytest.mark.model
def test_the_card_says_which_space_was_measured(small: Path, own_model: Path) -> None:
    result = run("calibrate", "--data", small, "--model", own_model, "--fmr", "0.2", "--margin",
                 "10", "--write")  # fmt: skip
    assert result.exit_code == 0, result.output
    card = read_card(own_model.with_suffix(".json"))
    space = card.calibration.space
    assert space is not None
    assert space.detector is not None
    assert space == space_of(card, detector=space.detector)
    assert (space.detector.name, space.crop.margin_px) == ("mtcnn", 10)


def test_a_users_threshold_has_its_fmr_too_unless_the_crop_is_another(
    own_home: Path, data: Path
) -> None:
    pictures = (data / "obama.jpg", data / "obama2.jpg")
    given = json.loads(run("verify", *pictures, "--threshold", "0.45", "--json").stdout)
    assert given["fmr_at_threshold"] is None
    assert 0 < given["fmr_at_most"] < 1e-2
    assert given["probability"] > 0.99
    other = json.loads(
        run("verify", *pictures, "--threshold", "0.45", "--margin", "0", "--json").stdout
    )
    assert other["fmr_at_most"] is other["probability"] is other["probability_meaning"] is None


@pytest.mark.model
def test_the_calibration_file_is_bound_to_the_model(small: Path, own_home: Path, tmp_path: Path
                                                    ) -> None:  # fmt: skip
    output = tmp_path / "calibration.json"
    result = run("calibrate", "--data", small, "--fmr", "0.2", "-o", output)
    assert result.exit_code == 0, result.output
    written = json.loads(output.read_text())
    assert written["model_sha256"] == find(DEFAULT_MODEL).card.file_sha256
    assert len(written["calibration"]["embedding_mean"]) == 512


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(("--fmr", "1e-3"), 2, "rule of three", marks=pytest.mark.model),
        (("--fmr", "0,5"), 2, "between 0 and 1"),
        (("--fmr", "often"), 2, "not a list of numbers"),
        (("--model", "none"), 5, "No model is called"),
        pytest.param(("--pairs", "missing.txt"), 4, "missing.txt", marks=pytest.mark.model),
    ],
)
def test_wrong_options_have_their_exit_code_and_message(
    small: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("calibrate", "--data", small, *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert result.stdout == ""
