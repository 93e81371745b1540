"""Runs commands of facekit, each in a fork of a process that has imported all, and kills them.

python -m tests.forked_commands
reads [seconds, arguments, stdin's file, stdout's file] a line, and answers with the exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

IMPORTED = (
    *(f"facekit.tasks.{name}" for name in ("calibrate", "convert", "enroll", "gallery", "models")),
    *("facekit.tasks.import_model", "facekit.server.stdin", "facekit.cli.terminal"),
    *("ai_edge_litert.interpreter", "ai_edge_quantizer", "cryptography.hazmat.primitives", "scipy"),
)
ROOT = Path(__file__).parents[1]


class Forks:
    """A process that has imported what the commands need, and what it is asked to run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        arguments: Sequence[str],
        output: Path,
        *,
        seconds: float = 300,
        source: str = os.devnull,
    ) -> int:
        """Returns the exit code of the command, -9 if it was killed after so many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for path in (output, output.with_name(f"{output.name}.err")):
            path.unlink(missing_ok=True)  # the command may be killed before it opens them
        asked = [seconds, list(arguments), source, str(output)]
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def forks() -> Iterator[Forks]:
    command = [sys.executable, "-m", "tests.forked_commands"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


def _run(arguments: list[str], source: str, output: str) -> NoReturn:
    """Runs a command in this process, its streams in files, and ends the process."""
    from facekit.__main__ import main

    code = 70
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, opened in (
            (0, os.open(source, os.O_RDONLY)),
            (1, os.open(output, flags)),
            (2, os.open(f"{output}.err", flags)),
        ):
            os.dup2(opened, number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["facekit", *arguments]
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(process: int, seconds: float) -> int:
    """Waits for the process so long, kills it then, and returns its exit code."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        seconds, arguments, source, output = json.loads(line)
        process = os.fork()
        if not process:
            _run(arguments, source, output)
        print(_code_of(process, seconds), flush=True)
