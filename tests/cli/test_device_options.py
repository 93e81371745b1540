"""--device and --delegate: what ran is said, and the CPU is never used in silence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.runtime import graph_cache
from tests.c_delegate import compile_delegate, needs_compiler
from tests.schemas import require_schema

DATA = Path(__file__).parents[1] / "data"
PHOTOS = [str(DATA / "obama.jpg"), str(DATA / "biden.jpg")]
MISSING = ("--device", "imx93-npu")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_delegate(tmp_path_factory.mktemp("delegate") / "libtest_delegate.so")


def used(result: Result) -> tuple[str, str | None, str | None]:
    payload = json.loads(result.stdout)
    return payload["device"], payload["delegate"], payload["cpu_fallback"]


@pytest.mark.model
def test_the_cpu_is_the_default_and_is_named() -> None:
    result = run("verify", *PHOTOS, "--json")
    assert used(result) == ("cpu", None, None)
    assert result.stderr == ""


@pytest.mark.model
@pytest.mark.parametrize("command", ["verify", "compare", "embed", "identify"])
def test_a_missing_delegate_is_exit_code_6(command: str, tmp_path: Path) -> None:
    more: tuple[str | Path, ...] = ()
    if command == "embed":
        more = ("-o", tmp_path / "out.npz")
    if command == "identify":
        more = ("--gallery", tmp_path / "people.db")
        enrolled = run("enroll", "somebody", PHOTOS[0], *more)
        assert enrolled.exit_code == 0, enrolled.stderr
    result = run(command, *PHOTOS, *more, *MISSING)
    assert result.exit_code == 6
    assert "No delegate for imx93-npu: libethosu_delegate.so" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out.npz").exists()

    allowed = run(command, *PHOTOS, *more, *MISSING, "--allow-cpu-fallback", "--json")
    assert allowed.exit_code in (0, 1), allowed.stderr
    require_schema(command, json.loads(allowed.stdout))
    device, delegate, reason = used(allowed)
    assert (device, delegate) == ("cpu", None)
    assert reason is not None
    assert reason.startswith("No delegate for imx93-npu")
    assert "runs on the CPU instead: No delegate" in allowed.stderr


@pytest.mark.model
def test_text_says_that_it_fell_back() -> None:
    result = run("verify", *PHOTOS, *MISSING, "--allow-cpu-fallback")
    assert result.exit_code == 1
    assert "device: the embedding network runs on the CPU instead" in result.stdout


@pytest.mark.model
@needs_compiler
def test_a_delegate_that_takes_the_network_is_reported(library: Path) -> None:
    """It writes 42 into every output: two different faces become the same."""
    result = run("verify", *PHOTOS, "--delegate", library, "--json")
    assert result.exit_code == 0
    assert used(result) == ("delegate", str(library), None)
    assert json.loads(result.stdout)["similarity"] == pytest.approx(1.0)
    text = run("verify", *PHOTOS, "--delegate", library)
    words = " ".join(text.stdout.split())  # lines are wrapped
    assert f"device: the embedding network runs on delegate, through {library}" in words


@pytest.mark.model
@needs_compiler
def test_a_delegate_that_takes_nothing_is_exit_code_6(library: Path) -> None:
    nothing = ("--delegate", library, "--delegate-option", "take=none")
    result = run("verify", *PHOTOS, *nothing)
    assert result.exit_code == 6
    assert "took no operator" in result.stderr
    allowed = run("verify", *PHOTOS, *nothing, "--allow-cpu-fallback", "--json")
    assert allowed.exit_code == 1
    assert "took no operator" in str(used(allowed)[2])


@pytest.mark.model
@needs_compiler
def test_a_delegate_and_a_runtime_that_do_not_belong_together_are_exit_code_6(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    for_tflite = compile_delegate(tmp_path / "libethosu_delegate.so")
    for_litert = compile_delegate(tmp_path / "liblitert_ethosu_delegate.so")
    result = run("verify", *PHOTOS, "--delegate", for_tflite)
    assert (result.exit_code, result.stdout) == (6, "")
    assert "it is built for tflite_runtime, which cannot be imported" in result.stderr
    monkeypatch.setenv("FACEKIT_RUNTIME", "tensorflow")
    result = run("verify", *PHOTOS, "--delegate", for_litert)
    assert (result.exit_code, result.stdout) == (6, "")
    assert "built for ai_edge_litert, and FACEKIT_RUNTIME asks for tensorflow" in result.stderr


@pytest.mark.model
@needs_compiler
def test_minutes_of_compiling_are_announced_and_the_folder_is_said_with_verbose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "graphs"
    monkeypatch.setenv(graph_cache.SWITCH, "1")
    monkeypatch.setenv(graph_cache.FOLDER, str(kept))
    library = compile_delegate(tmp_path / "liblitert_vx_delegate.so")
    verify: tuple[str | Path, ...] = ("verify", *PHOTOS, "--delegate", library)
    told = []
    for options in ((), ("-v",), ()):
        monkeypatch.setattr(graph_cache, "_told", set())  # as in a process of its own
        told.append(run(*verify, *options).stderr)
        (kept / "graph.nb").touch()
    assert "40 s to 2 minutes" in told[0]
    assert f"the NPU's driver keeps compiled networks in {kept}" in told[1]
    assert str(kept) not in told[2]


@pytest.mark.model
@needs_compiler
def test_benchmark_says_what_ran(library: Path) -> None:
    brief = ("--stage", "embed", "--runs", "2", "--warmup", "1", "--json")
    (one,) = json.loads(run("benchmark", *brief, "--delegate", library).stdout)["measurements"]
    assert one["delegate"]["use"] == "used"
    assert run("benchmark", *brief, *MISSING).exit_code == 6


@pytest.mark.model
def test_an_accelerator_is_used_by_one_process(tmp_path: Path) -> None:
    many = ("-o", tmp_path / "out.npz", "--workers", "2")
    result = run("embed", *PHOTOS, *many, *MISSING, "--allow-cpu-fallback")
    assert result.exit_code == 2
    assert "used by one process" in result.stderr


def test_two_accelerators_cannot_be_meant() -> None:
    result = run("verify", *PHOTOS, *MISSING, "--delegate", "x.so")
    assert result.exit_code == 2
    assert run("verify", *PHOTOS, "--delegate-option", "a=1").exit_code == 2
