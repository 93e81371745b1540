"""The same commands with --gallery postgresql://..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from facekit.cli import cli

pytestmark = pytest.mark.model


def test_enroll_identify_and_move(postgres_url: str, data: Path, tmp_path: Path) -> None:
    photo = {name: str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")}

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(cli, [*arguments, "--json", "--gallery", postgres_url])
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout)

    assert run("enroll", "Obama", photo["obama"])["people"][0]["added_count"] == 1
    run("enroll", "Biden", photo["biden"])
    (face,) = run("identify", photo["obama2"])["photos"][0]["faces"]
    assert face["name"] == "Obama"
    assert face["margin"] > 0.3
    assert len(run("gallery", "show", "Obama")["templates"]) == 1
    assert run("gallery", "check")["sound"]
    file = str(tmp_path / "people.jsonl")
    run("gallery", "export", "-o", file)
    run("gallery", "remove", "Obama")
    run("identify", photo["obama2"], code=1)
    assert run("gallery", "import", file)["added_count"] == 1
    run("identify", photo["obama2"])
    run("gallery", "rekey", code=2)
    assert run("gallery", "stats")["template_count"] == 2
