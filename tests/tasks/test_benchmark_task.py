"""Benchmarks as functions: a log or a result in, records out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.bench.records import DelegateUse
from facekit.cli import cli
from facekit.enums import Stage
from facekit.errors import InputError, UsageError
from facekit.tasks.benchmark import benchmark, compare, read_log, read_result, write_result
from tests.bench.logs import NEW_NPU, REFUSED
from tests.schemas import require_schema


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "board.log"
    path.write_text(NEW_NPU)
    return path


def test_a_log_is_the_commands_json_and_is_read_back_from_its_file(
    log: Path, tmp_path: Path
) -> None:
    done = read_log(log)
    write_result(tmp_path, done, text="for people")
    result = tmp_path / "benchmark.json"
    assert read_result(result) == done
    assert (tmp_path / "benchmark.txt").read_text() == "for people"
    output = tmp_path / "out"
    command = ["benchmark", "--parse-log", str(log), "-o", str(output), "--json"]
    assert CliRunner().invoke(cli, command).stdout == (output / "benchmark.json").read_text()


def test_two_results_side_by_side_are_the_commands_json(log: Path, tmp_path: Path) -> None:
    write_result(tmp_path, read_log(log), text="")
    a = tmp_path / "benchmark.json"
    found = compare(a, a)
    assert [one.time for one in found.both] == [1.0]
    shown = CliRunner().invoke(cli, ["benchmark", "--compare", str(a), str(a), "--json"])
    assert json.loads(shown.stdout) == {
        "schema_version": 1,
        "output": None,
        **found.to_dict(),
    }
    require_schema("benchmark compare", json.loads(shown.stdout))


def test_a_delegate_that_did_nothing_is_named(log: Path, tmp_path: Path) -> None:
    refused = tmp_path / "refused.log"
    refused.write_text(REFUSED)
    done = read_log(refused)
    assert done.measurements[0].delegate.use is DelegateUse.UNUSED
    assert done.unused_delegate is not None
    assert done.unused_delegate.endswith("libethosu_delegate.so")
    assert read_log(log).unused_delegate is None


def test_what_is_no_result_is_refused_by_name(log: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"board\.log cannot be read as a result of facekit benchmark"
    ):
        read_result(log)
    with pytest.raises(InputError, match=r"none\.json"):
        read_result(tmp_path / "none.json")
    log.write_text("{}")
    with pytest.raises(
        InputError, match=r"board\.log cannot be read as a result .*peak_gflops is missing"
    ):
        read_result(log)


@pytest.mark.model
def test_without_photos_the_stages_that_need_none_are_measured() -> None:
    done = benchmark(runs=1, warmup=0)
    assert [one.stage for one in done.measurements] == [Stage.LOAD, Stage.EMBED, Stage.MATCH]
    assert done.peak_gflops[1] > 0
    with pytest.raises(UsageError, match="Photos are needed"):
        benchmark(stages=[Stage.DETECT])
