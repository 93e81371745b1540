"""facekit inspect: text, JSON and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from facekit.cli import cli
from tests.text_tables import fields


def test_text_names_input_parameters_and_work(data: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", str(data / "tiny" / "int8.tflite")])
    assert result.exit_code == 0
    lines = fields(result.stdout)
    assert "int8 1 x 16 x 16 x 3, real = 0.00784226507 * (integer - -1)" in lines["input"]
    assert lines["parameters"] == "394 in the file (int8 368, int32 26)"
    assert lines["MACs"].startswith("14,552: 14,192 in convolutions")
    assert lines["card"] == "none"


def test_json_has_shapes_parameters_and_work(data: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", "--json", str(data / "tiny" / "float32.tflite")])
    payload = json.loads(result.stdout)
    assert payload["schema_version"] == 1
    assert payload["inputs"][0]["shape"] == [1, 16, 16, 3]
    assert payload["inputs"][0]["scale"] is None
    assert payload["parameters"] == {
        "in_file": 394,
        "by_dtype": {"float32": 394},
        "folded_away": 0,
        "total": 394,
    }
    assert payload["macs"] == {"total": 14_552, "weighted": 14_192, "pooling": 360}
    assert payload["card"] is None


def test_a_wrong_card_is_shown_and_fails(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(data / "tiny" / "int8.tflite", tmp_path))
    copy.with_suffix(".json").write_text("{}")
    result = CliRunner().invoke(cli, ["inspect", str(copy)])
    assert result.exit_code == 5
    assert "CONV_2D 1" in result.stdout
    assert "is not valid" in result.stderr


def test_a_picture_is_no_model(data: Path) -> None:
    result = CliRunner().invoke(cli, ["inspect", str(data / "biden.jpg")])
    assert result.exit_code == 5
    assert result.stdout == ""
