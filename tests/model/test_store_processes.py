"""Several processes at one store, and processes that end in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facekit.model import installation, store
from facekit.model.workspace import workspace
from facekit.system.files import put_in_place
from tests.model.made_up_model import write_model

ROOT = Path(__file__).parents[2]
BUILD = """
import sys, time
from pathlib import Path
from tests.model.made_up_model import write_model
from facekit.model import installation
from facekit.model import store

def build(folder):
    write_model(folder, content=sys.argv[1].encode())
    with open(sys.argv[2], "a") as log:
        log.write(sys.argv[1] + " ")
    time.sleep(float(sys.argv[3]))

installation.install(
    "toy", build, only_if_missing=True, on_wait=lambda: print("waiting", flush=True)
)
"""


def start(content: str, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Another process that installs "toy", and sleeps in the middle of it."""
    command = [sys.executable, "-c", BUILD, content, str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def wait_for(condition: Path) -> None:
    deadline = time.monotonic() + 20
    while not condition.exists():
        assert time.monotonic() < deadline, f"{condition} did not appear"
        time.sleep(0.01)


def test_the_second_of_two_waits_and_does_not_build_again(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with start("first", log, 5.0) as first:  # the second starts meanwhile
        wait_for(log)
        with start("second", log, 0.0) as second:
            assert second.communicate(timeout=20)[0] == b"waiting\n"
        assert first.wait(timeout=20) == 0
    assert second.returncode == 0
    assert log.read_text() == "first "
    assert store.find("toy").path.read_bytes() == b"first"


def test_a_killed_install_leaves_nothing_but_a_folder_that_the_next_one_removes(
    home: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with start("killed", log, 60) as process:
        wait_for(log)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=20) == -signal.SIGKILL
    assert not store.is_installed("toy")
    assert store.stored_names() == ()
    assert [path.name for path in (home / "models").iterdir()] == [".toy.part"]

    installation.install("toy", lambda folder: write_model(folder, content=b"next"))
    assert store.find("toy").path.read_bytes() == b"next"
    assert [path.name for path in (home / "models").iterdir()] == ["toy"]


def test_an_install_killed_while_it_replaces_is_undone(home: Path) -> None:
    """Between the two renames the earlier folder has its name with a dot and .old."""
    installation.install("toy", lambda folder: write_model(folder))
    (home / "models" / "toy").rename(home / "models" / ".toy.old")
    with workspace(home, "toy") as folder:
        assert list(folder.iterdir()) == []
    assert store.find("toy").card.name == "toy"
    assert [path.name for path in (home / "models").iterdir()] == ["toy"]


def test_a_folder_left_over_after_replacing_is_removed(home: Path) -> None:
    installation.install("toy", lambda folder: write_model(folder, content=b"new"))
    write_model(home / "models" / ".toy.old", content=b"old")
    with workspace(home, "toy"):
        pass
    assert store.find("toy").path.read_bytes() == b"new"
    assert [path.name for path in (home / "models").iterdir()] == ["toy"]


def test_different_models_do_not_wait_for_each_other(home: Path) -> None:
    def never() -> None:
        pytest.fail("waited")

    with workspace(home, "a", on_wait=never), workspace(home, "b", on_wait=never):
        pass


def test_put_in_place_swaps_whole_folders(tmp_path: Path) -> None:
    for name in ("new", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    put_in_place(tmp_path / "new", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["new"]
