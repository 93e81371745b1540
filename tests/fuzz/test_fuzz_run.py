"""The fuzzer tells of every harm, of no other run's, and leaves nothing running."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facekit.errors import InputError
from facekit.system import trial
from tests.fuzz import run
from tests.fuzz.door import Door, Use
from tests.fuzz.forks import use_forks
from tests.fuzz.minimize import minimized
from tests.fuzz.mutate import changed_bytes

MB = 1_000_000


def door(open_it: Callable[[Path], Use], *, most_bytes: int = 200 * MB) -> Door:
    seeds = {".x": [b"sound"]}
    return Door(lambda: seeds, {".x": (changed_bytes,)}, open_it, most_bytes=most_bytes)


def use_by(work: Callable[[Path], None]) -> Callable[[Path], Use]:
    """Opens a door that accepts the seed, gives all else to `work`, and refuses it then."""

    def use(path: Path) -> None:
        if path.read_bytes() != b"sound":
            work(path)
            raise InputError("spoilt")

    return lambda folder: use


def fuzz(tried: Door, found: Path, *, inputs: int = 5) -> run.Result:
    return run.fuzz(tried, inputs=inputs, seconds=5, seed=16, found=found)


def mistaken(path: Path) -> None:
    raise KeyError("x")


def test_harm_of_an_earlier_run_is_not_told_again(tmp_path: Path) -> None:
    assert sum(fuzz(door(use_by(mistaken)), tmp_path).harm.values()) > 0
    result = fuzz(door(use_by(lambda path: None)), tmp_path)
    assert (result.inputs, result.harm) == (5, {})


def crash(folder: Path) -> Use:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def hang(folder: Path) -> Use:
    time.sleep(60)
    raise AssertionError


def hang_with_the_seed(folder: Path) -> Use:
    return lambda path: time.sleep(60)


@pytest.mark.parametrize("open_it", [crash, hang, hang_with_the_seed])
def test_a_door_that_does_harm_before_its_first_input_ends_the_run(
    open_it: Callable[[Path], Use], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_LONGEST_OPENING_S", 0.5)
    with pytest.raises(SystemExit, match="when it is opened, or with a seed"):
        fuzz(door(open_it), tmp_path)


def test_a_door_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def start_and_die(path: Path) -> None:
        if os.fork() == 0:
            time.sleep(20)  # with the pipe open
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        result = fuzz(door(use_by(start_and_die)), tmp_path, inputs=1)
        assert list(result.harm.values()) == [1]
    finally:
        os.close(writing)
    ready, _, _ = select.select([reading], [], [], 5)
    assert ready, "a process still has the pipe open"
    os.close(reading)


def taken(size: int) -> int:
    """Run in a fork: takes so much memory for a moment."""
    return len(b"x" * size)


def test_memory_that_a_fork_takes_is_counted(tmp_path: Path) -> None:
    def try_one(path: Path) -> None:
        assert list(trial.try_each(f"{__name__}:taken", [200 * MB])) == [200 * MB]

    def open_it(folder: Path) -> Use:
        use_forks()
        return use_by(try_one)(folder)

    result = fuzz(door(open_it, most_bytes=20 * MB), tmp_path, inputs=1)
    assert "took more than twice 20 MB" in (tmp_path / "harm.txt").read_text()
    assert sum(result.harm.values()) == 1


def harmed_by_ab(path: Path) -> None:
    """Refuses with one error by "a" and "b" in this order, and with another one by "c"."""
    content = path.read_bytes()
    if b"a" in content and b"b" in content.partition(b"a")[2]:
        raise KeyError(content)
    if b"c" in content:
        raise ValueError("c")


def crashed_by_a(path: Path) -> None:
    if b"a" in path.read_bytes():
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("work", "content", "smallest"),
    [
        (harmed_by_ab, b"0c0123a4567c8901b2345", b"ab"),
        (harmed_by_ab, b"01c01", b"c"),
        (crashed_by_a, b"0123a456", b"a"),
    ],
)
def test_a_minimized_input_does_the_same_harm(
    work: Callable[[Path], None], content: bytes, smallest: bytes
) -> None:
    assert minimized(door(use_by(work)), ".x", content) == smallest


def test_what_cannot_be_left_out_is_zero() -> None:
    def fifth_byte(path: Path) -> None:
        if path.read_bytes()[4:5] == b"x":
            raise KeyError

    assert minimized(door(use_by(fifth_byte)), ".x", b"0123x567") == b"\0\0\0\0x"


def test_an_input_without_harm_is_not_minimized() -> None:
    with pytest.raises(SystemExit, match="no harm"):
        minimized(door(use_by(lambda path: None)), ".x", b"abc")
