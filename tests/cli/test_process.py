"""What only a real process shows: signals, pipes, streams."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
FACEKIT = (sys.executable, "-m", "facekit")


@pytest.mark.model
def test_ctrl_c_exits_130_and_says_nothing(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    copies = [tmp_path / f"{number}.jpg" for number in range(400)]
    for copy in copies:
        copy.symlink_to(DATA / "obama.jpg")
    pairs.write_text("".join(f"{copy},{copies[0]}\n" for copy in copies))
    process = subprocess.Popen(
        [*FACEKIT, "verify", "--pairs", str(pairs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("a,b,verified")  # it is at work
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == ""


@pytest.mark.model
def test_a_reader_that_goes_away_is_like_sigpipe_and_quiet() -> None:
    command = f"{sys.executable} -m facekit compare {DATA}/*.jpg | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.model
def test_nothing_but_the_result_on_stdout_and_nothing_on_stderr() -> None:
    done = subprocess.run(
        [*FACEKIT, "compare", str(DATA / "obama.jpg"), str(DATA / "biden.jpg")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2 + 2  # folder and header before the matrix
    assert done.stderr == ""


@pytest.mark.model
def test_a_result_that_cannot_be_written_is_no_answer() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*FACEKIT, "verify", str(DATA / "obama.jpg"), str(DATA / "obama2.jpg")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 7
    assert done.stderr.startswith("facekit: error: The result cannot be written to stdout: ")


@pytest.mark.model
def test_an_error_while_the_model_is_still_loading_is_shown() -> None:
    done = subprocess.run(
        [*FACEKIT, "verify", str(DATA / "obama.jpg"), "missing.jpg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "missing.jpg" in done.stderr


def test_a_mistake_of_facekit_itself_does_not_say_different() -> None:
    program = (
        "import sys; from facekit import cli; sys.argv[1:] = ['doctor']\n"
        "def fail(*_args, **_options): raise RuntimeError('a mistake')\n"
        "cli.Cli.get_command = fail\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 70
    assert "RuntimeError: a mistake" in done.stderr
