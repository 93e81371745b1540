"""Evaluating and calibrating as functions: records in, records and files out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.enums import FacePolicy
from facekit.errors import ModelMissingError, PairListError, UsageError
from facekit.model.card import read_card
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.reporter import Reporter
from facekit.tasks.calibrate import calibrate
from facekit.tasks.evaluate import evaluate
from facekit.tasks.open_pipeline import PipelineRequest
from tests.schemas import require_schema
from tests.small_lfw import FACELESS, home_of_its_own, make_small_lfw

pytest.importorskip("sklearn", reason="needs the evaluate extra")

CENTRAL = PipelineRequest(face=FacePolicy.CENTER)


class Notes(Reporter):
    """Keeps the lines that it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Path]:
    home = home_of_its_own(tmp_path_factory.mktemp("home") / "facekit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(home))
        patch.delenv("FACEKIT_LFW", raising=False)
        yield make_small_lfw(tmp_path_factory.mktemp("small"), data)


@pytest.mark.model
def test_a_report_is_what_the_command_prints_as_json(small: Path) -> None:
    notes = Notes()
    report = evaluate([CENTRAL], data=small, reporter=notes)
    assert any("is not LFW's published list" in line for line in notes.lines)
    (model,) = report.models
    assert [failure.name for failure in model.failures] == [FACELESS]
    assert len(model.pairs) == 8
    assert model.throughput is not None
    assert model.throughput.workers == 1, "eleven photos do not pay for a second process"

    again = evaluate([CENTRAL], data=small)
    shown = CliRunner().invoke(cli, ["eval-lfw", "--data", str(small), "--json"])
    told, expected = json.loads(shown.stdout), json.loads(json.dumps(again.to_dict()))
    require_schema("eval-lfw", told)
    assert told.pop("schema_version") == 1
    assert told | {"created_utc": ""} == expected | {"created_utc": ""}


@pytest.mark.model
def test_workers_see_what_one_process_sees(small: Path) -> None:
    runs = [evaluate([CENTRAL], data=small, recompute=True, workers=n).models[0] for n in (1, 2)]
    assert [run.throughput and run.throughput.workers for run in runs] == [1, 2]
    assert runs[0].pairs == runs[1].pairs
    assert [str(one.error) for one in runs[0].failures] == [
        str(one.error) for one in runs[1].failures
    ]


@pytest.mark.model
def test_which_results_are_below_an_accuracy(small: Path) -> None:
    report = evaluate([CENTRAL], data=small)
    assert report.models[0].accuracy_failures_wrong.value == 6 / 8
    assert report.below(0.75) == ()
    assert report.below(0.76) == (report.models[0].model.label,)


def test_what_cannot_be_meant_is_said_before_any_model_is_asked_for(
    small: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="pass one of them"):
        evaluate([CENTRAL], data=small, protocol="devtest", pairs=tmp_path / "x.csv")
    with pytest.raises(PairListError, match=r"view2 needs pairs\.txt"):
        evaluate([CENTRAL], data=small, protocol="view2")
    with pytest.raises(ModelMissingError, match="No model is called"):
        evaluate([replace(CENTRAL, model="nobody")], data=small)


@pytest.mark.model
def test_a_calibration_goes_into_the_card_and_a_file_and_is_the_commands_json(
    small: Path, tmp_path: Path
) -> None:
    source = find(DEFAULT_MODEL).path
    for path in (source, source.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    model = tmp_path / source.name
    request = replace(CENTRAL, model=str(model))
    before = model.with_suffix(".json").read_bytes()
    options = ("calibrate", "--data", str(small), "--fmr", "0.2", "--model", str(model), "--json")
    shown = json.loads(CliRunner().invoke(cli, options).stdout)
    require_schema("calibrate", shown)
    assert model.with_suffix(".json").read_bytes() == before

    output = tmp_path / "calibration.json"
    done = calibrate(request, data=small, fmr=(0.2,), write=True, output=output)
    assert done.written
    told = json.loads(json.dumps(done.to_dict()))
    assert told["output"] == str(output)
    assert told | {"written": False, "output": None} == {
        key: value for key, value in shown.items() if key != "schema_version"
    }
    point = read_card(model.with_suffix(".json")).calibration.operating_point("fmr=2e-1")
    assert point == done.result.calibration.operating_point("fmr=2e-1")
    assert json.loads(output.read_text())["model_sha256"] == done.card.file_sha256
    assert len(repr(done)) < 100
