"""Round after round something else goes wrong: a gallery keeps everybody whom it told of."""

from __future__ import annotations

import os
import random
import resource
import subprocess
from pathlib import Path

import pytest

from facekit.gallery.open import open_gallery
from tests.gallery.enrolling_process import A_ROUND, TEMPLATES, kill_while_enrolling, start


def told_by(process: subprocess.Popen[str], *codes: int) -> list[str]:
    output, errors = process.communicate()
    assert process.returncode in codes, errors
    return output.rpartition("\n")[0].split()


class Untried(Exception):
    """A fault cannot be made here."""


def killed(path: Path, first: int, rng: random.Random) -> list[str]:
    return kill_while_enrolling(path, first, rng.uniform(0, 0.1), path.with_name("told.txt"))


def without_room(path: Path, first: int, rng: random.Random) -> list[str]:
    """A write beyond a random size fails, as on a full disk."""
    most = (path.stat().st_size if path.exists() else 0) + rng.randrange(20_000, 200_000)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return told_by(start(path, first, first + A_ROUND, before=limit), 1)


def read_only(path: Path, first: int, rng: random.Random) -> list[str]:
    """Nobody can be enrolled; the check after the round is the first to write again."""
    if os.geteuid():
        path.parent.chmod(0o555)
        path.chmod(0o444)
        try:
            return told_by(start(path, first, first + 5), 1)
        finally:
            path.parent.chmod(0o755)
            path.chmod(0o600)
    folder = str(path.parent)  # root may write whatever its mode says
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        raise Untried("root may not mount here, so that nothing was read-only")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        return told_by(start(path, first, first + 5), 1)
    finally:
        subprocess.run(["umount", folder], check=True)


def two_writers(path: Path, first: int, rng: random.Random) -> list[str]:
    """Both enroll five people of their own, and five the same."""
    both = [start(path, first + offset, first + offset + 10) for offset in (0, 5)]
    return [name for process in both for name in told_by(process, 0)]


def clock_going_back(path: Path, first: int, rng: random.Random) -> list[str]:
    """The process believes that it is up to 20 years ago."""
    return told_by(start(path, first, first + 5, days_ago=rng.randrange(1, 7000)), 0)


FAULTS = (killed, without_room, read_only, two_writers, clock_going_back)


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_nobody_is_lost_and_nobody_is_half_there(tmp_path: Path, rounds: int) -> None:
    (tmp_path / "own").mkdir()
    path, rng = tmp_path / "own" / "people.db", random.Random(16)
    told: set[str] = set()
    untried = ""
    for turn in range(rounds):
        fault = FAULTS[turn % len(FAULTS)]
        try:
            told |= set(fault(path, turn * A_ROUND, rng))
        except Untried as why:
            untried = str(why)
        with open_gallery(str(path)) as gallery:
            assert gallery.check() == [], fault
            listed = {person.name: person.template_count for person in gallery.people()}
        assert told <= set(listed), fault
        assert set(listed.values()) == {TEMPLATES}
        assert len(listed) <= len(told) + turn + 1  # a killed process may have enrolled one more
    assert len(told) > 5 * rounds
    if untried:
        pytest.skip(f"all other faults were survived; {untried}")
