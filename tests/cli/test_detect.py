"""facekit detect, on real photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.photo.decode import read_image
from tests.text_tables import rows

DATA = Path(__file__).parents[1] / "data"
OBAMA, BIDEN = str(DATA / "obama.jpg"), str(DATA / "biden.jpg")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["detect", *arguments], input=stdin)


@pytest.mark.model
def test_one_line_a_face() -> None:
    result = run(OBAMA, BIDEN)
    assert result.exit_code == 0, result.stderr
    header, *faces = rows(result.stdout)
    assert header == ["FACE", "SCORE", "X1", "Y1", "X2", "Y2", "PHOTO"]
    assert [(face[0], face[-1]) for face in faces] == [("0", OBAMA), ("0", BIDEN)]


@pytest.mark.model
def test_json_names_landmarks_as_the_viewer_sees_them() -> None:
    (record,) = json.loads(run("--json", BIDEN).stdout)["photos"]
    (face,) = record["faces"]
    landmarks = face["landmarks"]
    assert landmarks["left_eye"][0] < landmarks["nose"][0] < landmarks["right_eye"][0]
    assert landmarks["left_eye"][1] < landmarks["nose"][1] < landmarks["mouth_left"][1]
    x1, y1, x2, y2 = face["box_xyxy"]
    assert 0 < x1 < landmarks["left_eye"][0] < x2 < record["width_px"]
    assert 0 < y1 < landmarks["nose"][1] < y2 < record["height_px"]


@pytest.mark.model
def test_a_bad_photo_is_a_record_and_the_others_go_on() -> None:
    result = run("--json", "missing.jpg", BIDEN)
    assert result.exit_code == 4
    told = json.loads(result.stdout)
    (bad,), (good,) = told["failed"], told["photos"]
    assert bad["error"]["exit_code"] == 4
    assert good["face_count"] == 1


@pytest.mark.model
def test_crops_and_drawings(tmp_path: Path) -> None:
    crops, drawn = tmp_path / "crops", tmp_path / "drawn"
    assert run("--save-crops", str(crops), "--draw", str(drawn), OBAMA, BIDEN).exit_code == 0
    assert sorted(path.name for path in crops.iterdir()) == ["biden_0.png", "obama_0.png"]
    assert read_image(crops / "biden_0.png").shape == (160, 160, 3)
    assert read_image(drawn / "biden.png").shape == read_image(BIDEN).shape


@pytest.mark.model
def test_a_picture_comes_from_standard_input() -> None:
    result = run("--json", "-", stdin=Path(BIDEN).read_bytes())
    assert json.loads(result.stdout)["photos"][0]["face_count"] == 1


@pytest.mark.model
def test_a_folder_stands_for_its_pictures() -> None:
    assert len(rows(run(str(DATA)).stdout)) == 1 + 3


@pytest.mark.parametrize(
    "arguments",
    [("--min-face", "0.5"), ("--scale-factor", "1"), ("--stage-thresholds", "0.6", "0.7", "2"), ()],
)
def test_wrong_options_are_usage_errors(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, *([BIDEN] if arguments else [])).exit_code == 2


@pytest.mark.model
def test_a_high_threshold_finds_nothing_and_exits_3() -> None:
    result = run("--stage-thresholds", "0.6", "0.7", "1", BIDEN)
    assert result.exit_code == 3
    assert "biden.jpg" in result.stderr
