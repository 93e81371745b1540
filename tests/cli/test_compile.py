"""facekit compile: text, JSON and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from tests.schemas import require_schema
from tests.text_tables import fields, require_readable, rows

pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")


@pytest.fixture
def model(data: Path, tmp_path: Path) -> str:
    return str(shutil.copy(data / "tiny" / "int8.tflite", tmp_path))


def test_text_names_what_was_assumed_and_what_is_slow(model: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["compile", model, "--no-bandwidths"])
    assert result.exit_code == 0, result.stderr
    written = tmp_path / "model_imx93" / "int8_vela.tflite"
    assert written.exists()
    lines = fields(result.stdout)
    assert lines["model"].startswith(str(written))
    assert lines["operators"] == "8 on the NPU, 0 on the CPU (100.0%)"
    assert "ms at 1000 MHz" in lines["estimate"]
    assert "DRAM 5.00 GB/s (imx93)" in lines["estimate"]
    require_readable(result.stdout)
    assert ["Conv2D", "stem_1"] in [row[-2:] for row in rows(result.stdout)]


def test_json_has_the_report_and_both_systems(model: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["compile", model, "-o", str(tmp_path / "out"), "--json"])
    payload = json.loads(result.stdout)
    require_schema("compile", payload)
    assert payload["model"] == model
    names = [Path(file["path"]).name for file in payload["files"]]
    assert names == ["int8_vela.tflite", "int8_vela_report.json"], "the source has no card"
    assert payload["output"] == str(tmp_path / "out")
    assert payload["vela"]["npu_operator_count"] == 8
    assert [one["system_config"] for one in payload["vela"]["comparisons"]] == [
        "Ethos_U65_High_End",
        "Ethos_U65_Client_Server",
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("cosines_int8.tflite", [], 6),
        ("float32.tflite", [], 6),
        ("int8.tflite", ["--target", "imx94"], 2),
        ("none.tflite", [], 5),
    ],
)
def test_what_cannot_be_compiled_has_its_exit_code_and_leaves_nothing(
    data: Path, tmp_path: Path, name: str, arguments: list[str], code: int
) -> None:
    result = CliRunner().invoke(
        cli, ["compile", str(data / "tiny" / name), "-o", str(tmp_path / "out"), *arguments]
    )
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
