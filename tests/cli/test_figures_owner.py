"""Whoever made a card is named wherever its thresholds or error rates are cited.

A network that facekit ships figures for, with a card whose figures somebody else made up: they
agree with each other, so nothing can refuse them.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.model import store
from facekit.model.archive import export_models
from facekit.model.card import Card
from facekit.server.stdin import serve_lines
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.serve import ServiceRequest
from tests.model.made_up_model import loosened
from tests.schemas import require_schema
from tests.video import clips

pytestmark = pytest.mark.model
DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
MARK = "measured by whoever made this card"


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exit_code == code, result.stderr
    return result


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


def copied(folder: Path, change: Callable[[Card], Card]) -> Path:
    """A copy of the model sface, with a changed card."""
    model = store.find("sface")
    path = folder / model.path.name
    shutil.copyfile(model.path, path)
    path.with_suffix(".json").write_text(change(model.card).to_json())
    return path


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("theirs"), loosened)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("ours"), lambda card: card)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, theirs: Path) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    run("enroll", "--model", theirs, "--gallery", path, "Obama", OBAMA)
    return path


def test_text(theirs: Path, ours: Path, gallery: Path) -> None:
    said = run("verify", "--model", theirs, OBAMA, BIDEN)  # a false "same", and who is to blame
    assert said.stdout.startswith("same:")
    for result in (
        said,
        run("verify", "--model", theirs, OBAMA, BIDEN, "--threshold", 0.9, code=1),
        run("identify", "--model", theirs, "--gallery", gallery, BIDEN),
        run("identify", "--model", theirs, "--gallery", gallery, BIDEN, "--threshold", 0.9, code=1),
        run("cluster", "--model", theirs, OBAMA, BIDEN),
    ):
        assert words(result.output).count(MARK) == 1, result.output
    for result in (
        run("verify", "--model", ours, OBAMA, OBAMA2),
        run("verify", "--model", ours, OBAMA, BIDEN, "--threshold", 0.9, code=1),
        run("identify", "--model", ours, "--gallery", gallery, OBAMA2),
        run("cluster", "--model", ours, OBAMA, BIDEN),
    ):
        assert "whoever" not in words(result.output)


def answer(command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
    said = run(command, *arguments, "--json", code=code).stdout
    payload: dict[str, Any] = json.loads(said)
    require_schema(command, payload)
    return payload


def test_json(theirs: Path, ours: Path, gallery: Path) -> None:
    for command, rest in (
        ("verify", (OBAMA, OBAMA2)),
        ("identify", ("--gallery", gallery, OBAMA2)),
        ("cluster", (OBAMA, BIDEN)),
    ):
        found = answer(command, "--model", theirs, *rest)
        assert found["measured_by"] == "card-maker"
        assert found["threshold_source"].endswith(f"figures {MARK}")
        assert answer(command, "--model", ours, *rest)["measured_by"] == "facekit"
    given = answer("verify", "--model", theirs, OBAMA, BIDEN, "--threshold", 0.9, code=1)
    assert given["measured_by"] == "card-maker"  # of the rate at the threshold
    assert given["threshold_source"] == f"given; figures {MARK}"
    given = answer("cluster", "--model", theirs, OBAMA, BIDEN, "--threshold", 0.5)
    assert (given["measured_by"], given["threshold_source"]) == (None, "given")


def test_a_video(theirs: Path, gallery: Path, tmp_path: Path) -> None:
    clip = clips.CROSSING.write(tmp_path / "crossing.avi")
    said = run("track", "--model", theirs, "--gallery", gallery, clip, "--json").stdout
    assert {json.loads(line)["measured_by"] for line in said.splitlines()} == {"card-maker"}
    assert MARK in words(run("track", "--model", theirs, "--gallery", gallery, clip).stderr)


def test_a_list_of_pairs(theirs: Path, ours: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"a,b\n{OBAMA},{OBAMA2}\n{OBAMA},missing.jpg\n")
    for model, by in ((theirs, "card-maker"), (ours, "facekit")):
        said = run("verify", "--model", model, "--pairs", pairs, code=4).stdout
        assert [row["measured_by"] for row in csv.DictReader(io.StringIO(said))] == [by, by]


def test_a_server_and_a_plot(theirs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    plot = tmp_path / "plot.svg"
    run("verify", "--model", theirs, OBAMA, BIDEN, "--plot", plot)
    assert "whoever made this card" in plot.read_text()
    line = json.dumps({"verify": [OBAMA, BIDEN]}).encode()
    request = ServiceRequest(PipelineRequest(model=str(theirs)))
    _, found = serve_lines(io.BytesIO(line), request=request)
    assert (found["verified"], found["measured_by"]) == (True, "card-maker")


def test_models(theirs: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "measured by whoever made this card" in words(run("models", "info", theirs).stdout)
    assert "whoever" not in run("models", "info", ours).stdout
    archives = {path: tmp_path / f"{path.parent.name}.tar" for path in (theirs, ours)}
    for path, archive in archives.items():
        export_models([str(path)], archive)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    refused = run("models", "import", archives[theirs], code=2)
    assert "fmr=1e-3 with yunet: similarity >= 0.2893 becomes -0.5000" in words(refused.stderr)
    assert not store.stored_names()
    run("models", "import", archives[ours])
    for archive, by in ((archives[ours], "facekit"), (archives[theirs], "card-maker")):
        imported = run("models", "import", archive, "--force")
        assert ("becomes -0.5000" in words(imported.stderr)) == (by == "card-maker")
        (listed,) = (
            one for one in json.loads(run("models", "list", "--json").stdout)["models"]
            if one["name"] == "sface"
        )  # fmt: skip
        assert listed["match_rate"]["measured_by"] == by
        assert (f"sface: TAR {MARK}" in run("models", "list").stdout) == (by == "card-maker")
        (checked,) = json.loads(run("models", "verify", "--json").stdout)["files"]
        assert checked["measured_by"] == by
        assert f"ok       {by}" in run("models", "verify").stdout
        (file,) = json.loads(run("models", "info", "sface", "--json").stdout)["files"]
        assert file["measured_by"] == by
