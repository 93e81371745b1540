"""Runs what may crash or hang, such as native libraries of unknown origin, in another process."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_S = 300.0
"""A process that takes longer is taken for one that hangs.  The first run of a graph on the
i.MX 8M Plus has taken 2 minutes (TIM-VX, issue 287)."""

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from facekit.system.trial import answer_all; answer_all(*sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Died:
    """The result for an item on which the process ended without an answer."""

    how: str
    """To be read after "the process ", such as "was ended by SIGILL"."""


def try_each(
    function: str, items: Sequence[Any], *, longest_s: float = LONGEST_S
) -> Iterator[Any | Died]:
    """Yields what the function answers to each item, in order, from a process that may die.

    `function` is written "module:name".  Items and answers are JSON.  The items after one on which
    the process dies, or has answered nothing within `longest_s` seconds, get a new process.
    """
    left = list(items)
    while left:
        answers, how = _run(function, left, longest_s)
        yield from answers
        left = left[len(answers) :]
        if left:
            yield Died(how)
            left = left[1:]


def _run(function: str, items: Sequence[Any], longest_s: float) -> tuple[list[Any], str]:
    """Returns the answers of one process, and how it ended."""
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), function, json.dumps(items)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            written, errors = child.communicate(timeout=longest_s)
            how = _ending(child.returncode, errors)
        except BaseException as error:
            child.kill()
            written, _ = child.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):  # Ctrl-C
                raise
            how = f"has not answered within {longest_s:g} s"
    return [json.loads(line) for line in written.split(b"\n")[:-1]], how


def _ending(code: int, errors: bytes) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    last = " ".join(errors.decode(errors="replace").split()[-30:])
    return f"ended with exit code {code}: {last}"


def answer_all(function: str, items: str) -> None:
    """Writes the function's answer to each of the JSON list `items` on stdout, a line each."""
    # What libraries print goes to stderr, the answers alone to stdout.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        module, _, name = function.partition(":")
        call = getattr(importlib.import_module(module), name)
        for item in json.loads(items):
            print(json.dumps(call(item)), file=answers, flush=True)
