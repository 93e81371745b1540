"""Keeps what native libraries write to file descriptor 2 off the terminal, to be read instead."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

_STDERR = 2


@dataclass(slots=True)
class _Aside:
    """Where descriptor 2 leads while anybody captures."""

    original: int
    file: BinaryIO
    users: int = 0
    read: int = 0
    """bytes of the file that are in `pending`, or were"""
    pending: list[bytes] = field(default_factory=list)
    """lines that nobody has taken yet"""


_lock = threading.Lock()
_aside: _Aside | None = None


@contextmanager
def captured(is_chatter: Callable[[bytes], bool]) -> Iterator[list[str]]:
    """Yields a list that holds, afterwards, the lines for which `is_chatter(line)` is true.

    All other lines are passed on to stderr, in their order, when the block ends.  Libraries that
    print from C have no other hook, so the descriptor itself is turned aside: keep the block
    short.  Blocks may overlap, in one thread or several: a line goes to the first block that ends
    after it and has it for chatter, or to stderr when the last of them ends.
    """
    lines: list[str] = []
    with _lock:
        taken = _enter()
    if not taken:  # the process was started with stderr closed: nothing to keep clean
        yield lines
        return
    try:
        yield lines
    finally:
        with _lock:
            _leave(is_chatter, lines)


def _enter() -> bool:
    global _aside
    if _aside is None:
        try:
            original = os.dup(_STDERR)
        except OSError:
            return False
        with suppress(OSError, ValueError, AttributeError):  # notebooks and pytest replace it
            sys.stderr.flush()
        _aside = _Aside(original, _new_file())
        os.dup2(_aside.file.fileno(), _STDERR)
    _aside.users += 1
    return True


def _leave(is_chatter: Callable[[bytes], bool], lines: list[str]) -> None:
    global _aside
    assert _aside is not None
    aside = _aside
    aside.users -= 1
    if aside.users == 0:
        os.dup2(aside.original, _STDERR)
        _aside = None
    written = os.pread(aside.file.fileno(), _size(aside) - aside.read, aside.read)
    if aside.users > 0:  # another thread may be in the middle of a line
        written = written[: written.rfind(b"\n") + 1]
    aside.read += len(written)
    others = []
    for line in aside.pending + written.splitlines(keepends=True):
        if is_chatter(line):
            lines.append(line.decode(errors="replace").rstrip())
        else:
            others.append(line)
    aside.pending = others
    if aside.users == 0:
        os.write(aside.original, b"".join(others))
        os.close(aside.original)
        aside.file.close()


def _size(aside: _Aside) -> int:
    return os.fstat(aside.file.fileno()).st_size


def _new_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # Linux: ten times faster, and needs no writable folder
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    import tempfile  # 5 ms, which Linux need not pay

    return tempfile.TemporaryFile()
