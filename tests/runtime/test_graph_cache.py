"""The i.MX 8M Plus keeps its compiled graphs, in a folder that is known before the driver is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facekit.runtime import graph_cache
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.graph_cache import FOLDER, SWITCH, keep_graphs
from tests.c_delegate import compile_delegate, needs_compiler, needs_litert
from tests.told import Told

MINUTES = "40 s to 2 minutes"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (SWITCH, FOLDER):
        monkeypatch.setenv(name, "")  # restored afterwards, whatever the code sets
        monkeypatch.delenv(name)
    monkeypatch.setattr(graph_cache, "_told", set())
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_first_run_is_announced_once_and_later_ones_are_details(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Told()
    keep_graphs(reporter)
    keep_graphs(reporter)
    kept = home / "vx-graphs"
    assert (os.environ[SWITCH], os.environ[FOLDER]) == ("1", str(kept))
    (note,) = reporter.notes
    assert MINUTES in note
    assert str(kept) in note

    (kept / "1234.nb").touch()
    monkeypatch.setattr(graph_cache, "_told", set())  # as in the next process
    later = Told()
    keep_graphs(later)
    assert later.notes == []
    assert later.details == [f"the NPU's driver keeps compiled networks in {kept}"]


def test_a_folder_of_the_users_is_kept(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "mine"))
    reporter = Told()
    keep_graphs(reporter)
    assert os.environ[FOLDER] == str(tmp_path / "mine")
    assert str(tmp_path / "mine") in reporter.notes[0]
    assert not home.exists()


def test_a_user_who_has_switched_it_off_is_told_what_it_costs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "0")
    reporter = Told()
    keep_graphs(reporter)
    assert os.environ[SWITCH] == "0"
    assert FOLDER not in os.environ
    assert "in each process" in reporter.notes[0]
    assert f"{SWITCH} is '0'" in reporter.notes[0]
    assert not home.exists()


def test_where_nothing_can_be_kept_nothing_is_switched_on(home: Path) -> None:
    home.write_text("a file")
    reporter = Told()
    keep_graphs(reporter)
    assert SWITCH not in os.environ
    assert "cannot be used" in reporter.notes[0]
    assert FOLDER in reporter.notes[0]


@needs_compiler
@needs_litert
@pytest.mark.parametrize(
    ("name", "keeps"), [("liblitert_vx_delegate.so", True), ("liblitert_ethosu_delegate.so", False)]
)
def test_the_driver_finds_the_folder_when_it_is_loaded(
    name: str,
    keeps: bool,
    data: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library, mark = compile_delegate(tmp_path / name), tmp_path / "loaded"
    monkeypatch.setenv("TEST_DELEGATE_LOADED", str(mark))
    reporter = Told()
    open_net(
        data / "tiny" / "float32.tflite",
        request=AcceleratorRequest(delegate=library),
        reporter=reporter,
    )
    assert mark.read_text() == (f"1 {home / 'vx-graphs'}" if keeps else "- -")
    assert len(reporter.notes) == keeps
