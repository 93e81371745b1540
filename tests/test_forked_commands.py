"""Commands in a fork answer as they do in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked_commands import ROOT, Forks

PROGRAM = """
import os, sys
import facekit.__main__
from tests import forked_commands

def main():
    {work}

facekit.__main__.main = main
forked_commands._run([], os.devnull, sys.argv[1])
"""


@pytest.mark.parametrize(
    ("work", "code", "told"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(4)", 4, ""),
        ("sys.exit('no photo')", 1, "no photo"),
        ("raise KeyError('x')", 70, "KeyError: 'x'"),
    ],
)
def test_the_end_of_a_command_is_told(tmp_path: Path, work: str, code: int, told: str) -> None:
    program = PROGRAM.format(work=work)
    command = [sys.executable, "-c", program, str(tmp_path / "told")]
    assert subprocess.run(command, cwd=ROOT).returncode == code
    assert told in (tmp_path / "told.err").read_text()


def test_a_command_killed_before_its_output_is_open_has_none(tmp_path: Path) -> None:
    """Here nothing is started at all: what reads the questions has answered already."""
    told = tmp_path / "told"
    told.write_text("of the round before")
    answering = [sys.executable, "-c", "print(-9, flush=True); input()"]
    with subprocess.Popen(
        answering, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert Forks(process).run(["version"], told) == -9
    assert not told.exists()
