"""What only a real process shows: signals, pipes, streams."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("raised", ["BaseException('a panic')", "RuntimeError('a panic')"])
def test_a_mistake_of_facekit_itself_does_not_say_different(raised: str) -> None:
    """Panics of Rust libraries are no Exceptions (pyo3_runtime.PanicException)."""
    done = main_with(f"raise {raised}", "doctor", "--json")
    assert done.returncode == 70
    assert json.loads(done.stdout)["error"]["exit_code"] == 70
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Traceback")
    told = f"A mistake in facekit, which you may report: {raised.split('(')[0]}: a panic"
    assert lines[-1] == f"facekit: error: {told}"


@pytest.mark.parametrize(("raised", "code"), [("KeyboardInterrupt", 130), ("SystemExit(143)", 143)])
def test_signals_are_no_mistakes(raised: str, code: int) -> None:
    done = main_with(f"raise {raised}", "doctor")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def main_with(instead_of_the_command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys; from facekit import __main__, cli\n"
        f"sys.argv[1:] = {list(arguments)}\n"
        f"def fail(*_args, **_options): {instead_of_the_command}\n"
        "cli.Cli.get_command = fail\n"
        "__main__.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


OBAMA, OBAMA2 = (str(DATA / name) for name in ("obama.jpg", "obama2.jpg"))


@pytest.mark.model
@pytest.mark.parametrize(
    ("typed", "code"),
    [
        # No answer without a place for it, and none is "different" (1).
        (f"verify {OBAMA} {OBAMA2} >&-", 7),
        (f"verify {OBAMA} missing.jpg >&-", 4),
        (f"verify {OBAMA} missing.jpg --json >&-", 4),
        (f"verify {OBAMA} missing.jpg --json >/dev/full", 4),
        ("--help >/dev/full", 7),
        ("--version >/dev/full", 7),
        ("verify --help >/dev/full", 7),
        ("--help >&-", 7),
        # What is told beside the answer may be lost.
        (f"verify -v {OBAMA} {OBAMA2} 2>&-", 0),
        (f"verify -v {OBAMA} {OBAMA2} 2>/dev/full", 0),
        (f"verify {OBAMA} missing.jpg -v 2>/dev/full", 4),
        ("verify --fmr 7 2>/dev/full", 2),
        # Nothing can be read from what is closed.
        (f"verify - {OBAMA2} <&-", 4),
        ("verify --pairs - <&-", 4),
        ("serve-stdin <&-", 4),
        (f"verify {OBAMA} {OBAMA2} <&- 2>&-", 0),
        (f"verify {OBAMA} {OBAMA2} <&- >&- 2>&-", 7),
    ],
)
def test_streams_that_are_closed_or_full(typed: str, code: int) -> None:
    done = shell(typed)
    assert done.returncode == code, done.stderr
    assert "-v" in typed or "Traceback" not in done.stderr


@pytest.mark.model
def test_the_reader_of_a_help_page_or_of_an_error_may_go_away() -> None:
    for typed in ("--help", f"verify {OBAMA} missing.jpg --json"):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m facekit {typed} | true; exit ${{PIPESTATUS[0]}}"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == (141 if typed == "--help" else 4)


@pytest.mark.model
def test_a_gallery_does_not_get_the_descriptor_of_a_closed_stream(tmp_path: Path) -> None:
    """What libraries write to descriptor 2 would otherwise stand in its file."""
    people = tmp_path / "people.db"
    assert shell(f"enroll Ada {OBAMA} --gallery {people} 2>&-").returncode == 0
    assert shell(f"identify -v {OBAMA2} --gallery {people} <&- 2>&-").returncode == 0
    assert shell(f"gallery check --gallery {people}").returncode == 0


ANSWERS = sys.version_info >= (3, 14)
"""Whether Python's Path.exists says no of a name that is too long, rather than raising OSError."""


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (f"gallery list --gallery {'x' * 300}.db", 7),
        (f"gallery init --gallery {'x' * 300}.db", 7),
        (f"enroll Ada {OBAMA} --gallery {'x' * 5000}.db", 7 if ANSWERS else 2),
        (f"embed {OBAMA} -o {'x' * 300}.npz --json", 7 if ANSWERS else 2),
        (f"models info {'x' * 300}", 5 if ANSWERS else 2),
        ("gallery list --gallery $'\\xff.db'", 7),
        (f"enroll $'\\xff' {OBAMA} --gallery a.db", 2),
        (f"verify $'\\xff.jpg' {OBAMA}", 4),
        ("verify --pairs $'\\xff.csv'", 4),
        (f"verify --model $'\\xff' {OBAMA} {OBAMA} --json", 5),
        ("models info $'\\xff'", 5),
        ("$'\\xff'", 2),
        ("verify --$'\\xff'", 2),
        ("verify --fmr $'\\xff'", 2),
    ],
)
@pytest.mark.model
def test_names_that_are_too_long_or_not_utf8(
    typed: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = shell(typed)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def shell(typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m facekit {typed}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
