"""facekit benchmark: real measurements of every stage, logs, comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from tests.bench.logs import NEW_NPU, OLD_CPU, REFUSED
from tests.schemas import require_schema
from tests.text_tables import rows

DATA = Path(__file__).parents[1] / "data"
BRIEF = ("--runs", "2", "--warmup", "1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["benchmark", *arguments])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "board.log"
    path.write_text(NEW_NPU)
    return path


def test_a_log_becomes_json_and_can_be_compared(log: Path, tmp_path: Path) -> None:
    parsed = run("--parse-log", str(log), "--json", "-o", str(tmp_path / "out"))
    assert parsed.exit_code == 0, parsed.stderr
    payload = json.loads(parsed.stdout)
    require_schema("benchmark", payload)
    assert payload["measurements"][0]["delegate"]["use"] == "partly used"
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text()) == payload
    text = (tmp_path / "out" / "benchmark.txt").read_text()
    assert "partly used, 1 nodes of 2" in " ".join(text.split())

    slower = tmp_path / "slower.log"
    slower.write_text(OLD_CPU)
    other = tmp_path / "slower.json"
    other.write_text(run("--parse-log", str(slower), "--json").stdout)
    compared = run("--compare", str(tmp_path / "out" / "benchmark.json"), str(other), "--json")
    answer = json.loads(compared.stdout)
    require_schema("benchmark compare", answer)
    assert answer["both"] == []  # two threads against four are two settings
    assert len(answer["only_a"]) == len(answer["only_b"]) == 1


def test_comparing_a_result_with_itself_gives_ones(log: Path, tmp_path: Path) -> None:
    result = tmp_path / "a.json"
    result.write_text(run("--parse-log", str(log), "--json").stdout)
    a, b, _, header, row, *_ = rows(run("--compare", str(result), str(result)).stdout)
    assert (a, b) == (["a", "facenet512_int8_vela.tflite"], ["b", "facenet512_int8_vela.tflite"])
    assert header[:2] == ["STAGE", "THREADS"]
    assert row[4:] == [*("10.3", "10.3"), *("1.00",) * 5]


def test_a_delegate_that_did_nothing_is_exit_code_6(tmp_path: Path) -> None:
    path = tmp_path / "cpu.log"
    path.write_text(REFUSED)
    done = run("--parse-log", str(path))
    assert done.exit_code == 6
    assert "120.63" not in done.stderr
    assert "libethosu_delegate.so not used, 0 nodes of 181" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--threads", "0"), 2, "whole numbers of 1 to"),
        (("--batch", "1,x"), 2, "whole numbers of 1 to"),
        (("--compare", __file__, __file__), 4, "cannot be read as a result of facekit benchmark"),
        (("--parse-log", __file__), 4, "no times of benchmark_model"),
    ],
)
def test_what_cannot_be_meant(arguments: tuple[str, ...], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == code
    assert message in done.stderr


@pytest.mark.model
def test_every_stage_of_real_photos() -> None:
    done = run(str(DATA), *BRIEF, "--batch", "2", "--workers", "2", "--json")
    assert done.exit_code == 0, done.stderr
    payload = json.loads(done.stdout)
    require_schema("benchmark", payload)
    by_stage = {one["stage"]: one for one in payload["measurements"]}
    assert list(by_stage) == ["load", "detect", "align", "embed", "match", "verify"]
    for one in by_stage.values():
        runs = one["runs"]
        assert runs["count"] == 4  # two in each worker
        assert 0 < runs["min_ms"] <= runs["median_ms"] <= runs["p95_ms"] <= runs["max_ms"]
    embed = by_stage["embed"]
    assert embed["macs"] == 1_417_662_304
    assert embed["load_ms"] > 0
    assert embed["gflops"] == pytest.approx(2e-9 * embed["macs"] * embed["photos_per_s"])
    assert embed["peak_fraction"] == pytest.approx(embed["gflops"] / payload["peak_gflops"]["2"])
    assert 100 << 20 < embed["peak_rss_bytes"] < 700 << 20
    assert by_stage["match"]["peak_rss_bytes"] < embed["peak_rss_bytes"], "a process of its own"


@pytest.mark.model
def test_stages_that_need_photos_say_so() -> None:
    assert "Photos are needed" in run("--stage", "detect", *BRIEF).stderr
    done = run(*BRIEF, "--json")
    assert [one["stage"] for one in json.loads(done.stdout)["measurements"]] == [
        *("load", "embed", "match"),
    ]
    assert "left out" in done.stderr


@pytest.mark.model
def test_a_delegate_that_is_not_there_is_exit_code_6(tmp_path: Path) -> None:
    missing = str(tmp_path / "libnone_delegate.so")
    assert run("--stage", "embed", "--delegate", missing, *BRIEF).exit_code == 6
    allowed = run("--stage", "embed", "--delegate", missing, "--allow-cpu-fallback", *BRIEF)
    assert allowed.exit_code == 6, "measured on the CPU, and says so"
    assert "not used" in allowed.stdout
