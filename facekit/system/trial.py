"""Runs what may crash or hang, such as native libraries of unknown origin, in another process."""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any

LONGEST_S = 300.0
"""A process that takes longer for one item is taken for one that hangs.  The first run of a graph
on the i.MX 8M Plus has taken 2 minutes (TIM-VX, issue 287)."""
_MAX_BYTES = 8 << 30

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from facekit.system.trial import answer_all; answer_all(*sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Died:
    """The result for an item on which the process ended without an answer."""

    how: str
    """To be read after "the process ", such as "was ended by SIGILL"."""


def try_each(function: str, items: Sequence[Any], *, longest_s: float = LONGEST_S) -> Iterator[Any]:
    """Yields what the function answers to each item, in order, or Died.

    `function` is written "module:name".  Items and answers are JSON.  The items after one on which
    the process dies, or that it has not answered after `longest_s` seconds, get a new process.
    """
    left = list(items)
    while left:
        for answer in _answers(function, left, longest_s):
            yield answer
            left = left[1:]


def _answers(function: str, items: Sequence[Any], longest_s: float) -> Iterator[Any]:
    """Yields the answers of one process; the last one is Died if the process gave none to it."""
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), function, json.dumps(items)]
    lines: SimpleQueue[bytes] = SimpleQueue()
    with (
        TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        assert child.stdout is not None
        reader = Thread(target=_read_lines, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            for _ in items:
                line = lines.get(timeout=longest_s)
                if not line.endswith(b"\n"):  # the end, where a line may be cut off
                    code = child.wait()  # before seek, which moves where the child writes too
                    errors.seek(0)
                    yield Died(_ending(code, errors.read()))
                    return
                yield json.loads(line)
        except Empty:
            yield Died(f"has not answered within {longest_s:g} s")
        finally:
            child.kill()
            reader.join()


def _read_lines(pipe: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(b"")


def _ending(code: int, errors: bytes) -> str:
    if code == -signal.SIGXCPU:
        return "has taken too much processor time"
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


def limit_memory() -> None:
    """Lets this process take 8 GiB at most, or less if that is its limit already.

    It is for a function that opens a file from outside, as is `limit_processor_time`.
    """
    import resource  # POSIX only

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MAX_BYTES if soft == resource.RLIM_INFINITY else min(_MAX_BYTES, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def limit_processor_time(seconds: float) -> None:
    """Lets this process take so much processor time from now on; SIGXCPU ends it then."""
    import resource  # POSIX only

    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))
