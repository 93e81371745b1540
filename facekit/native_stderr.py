"""Keeps what native libraries write to file descriptor 2 off the terminal, to be read instead."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

_STDERR = 2
_one_at_a_time = threading.Lock()


@contextmanager
def captured(is_chatter: Callable[[bytes], bool]) -> Iterator[list[str]]:
    """Yields a list that holds, afterwards, the lines for which `is_chatter(line)` is true.

    All other lines are passed on to stderr, in their order, when the block ends.  Libraries that
    print from C have no other hook, so the descriptor itself is turned aside: keep the block
    short and do not nest it.  Threads take turns; their other output is delayed, never lost.
    """
    lines: list[str] = []
    with _one_at_a_time:
        try:
            original = os.dup(_STDERR)
        except OSError:  # the process was started with stderr closed: nothing to keep clean
            yield lines
            return
        with suppress(OSError, ValueError, AttributeError):  # notebooks and pytest replace it
            sys.stderr.flush()
        try:
            with _aside() as aside:
                os.dup2(aside.fileno(), _STDERR)
                try:
                    yield lines
                finally:
                    os.dup2(original, _STDERR)
                    aside.seek(0)
                    _sort_out(aside.read(), is_chatter, lines)
        finally:
            os.close(original)


def _aside() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # Linux: ten times faster, and needs no writable folder
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


def _sort_out(written: bytes, is_chatter: Callable[[bytes], bool], lines: list[str]) -> None:
    for line in written.splitlines(keepends=True):
        if is_chatter(line):
            lines.append(line.decode(errors="replace").rstrip())
        else:
            os.write(_STDERR, line)
