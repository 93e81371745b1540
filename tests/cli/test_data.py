"""facekit data fetch, without the internet."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from facekit.cli import cli


def test_offline_says_what_to_put_where(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["data", "fetch", "lfw", "--offline", "-o", str(tmp_path), "--json"]
    )
    assert result.exit_code == 5
    assert "pairsDevTrain.txt" in result.stderr
    assert json.loads(result.stdout)["error"]["type"] == "FetchError"
    assert list(tmp_path.iterdir()) == []


def test_only_lfw_is_known() -> None:
    assert CliRunner().invoke(cli, ["data", "fetch", "celeba"]).exit_code == 2
