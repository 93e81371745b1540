"""What is refused as too poor to be recognized, and what is said of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.photo.decode import read_image
from facekit.photo.write import write_png
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
    assert int(good[1]) > 95 > 60 > int(poor[1])
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
