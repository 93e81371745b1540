"""Keeps what native libraries write to file descriptors 1 and 2 off the terminal."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO

_STDERR = 2


@dataclass(slots=True)
class _Aside:
    """The file that receives descriptor 2 while at least one block captures."""

    original: int
    file: BinaryIO
    users: int = 0
    read: int = 0
    """Number of bytes of the file that were moved to `pending`."""
    pending: list[bytes] = field(default_factory=list)
    """Lines that no block has claimed yet."""


_lock = threading.Lock()
_aside: _Aside | None = None


@contextmanager
def captured(is_chatter: Callable[[bytes], bool]) -> Iterator[list[str]]:
    """Yields a list that holds, after the block, the lines for which `is_chatter(line)` is true.

    All other lines are passed on to stderr, in their order, when the block ends.  Libraries that
    print from C have no other hook, so the descriptor itself is redirected: keep the block short.
    Blocks may overlap, in one thread or several.  A line goes to the first block that ends after
    it and whose `is_chatter` is true for it, else to stderr when the last block ends.
    """
    lines: list[str] = []
    with _lock:
        taken = _enter()
    if not taken:  # the process was started with stderr closed: there is nothing to capture
        yield lines
        return
    try:
        yield lines
    finally:
        with _lock:
            _leave(is_chatter, lines)


@contextmanager
def captured_output() -> Iterator[None]:
    """Holds back all output to file descriptors 1 and 2; an error passes it on to stderr.

    TensorFlow's C++ code bypasses `sys.stdout` and Python's logging, and Keras prints to
    `sys.stdout`, but stdout is for results.  This affects the whole process, so nothing else may
    print inside the block.
    """
    import tempfile  # takes 5 ms, which commands that build no model save

    _flush(sys.stdout, sys.stderr)
    kept: dict[int, int] = {}
    with (
        tempfile.TemporaryFile(buffering=0) as log,
        io.TextIOWrapper(log, write_through=True) as text,
        redirect_stdout(text),  # needed where sys.stdout is not descriptor 1, as in a notebook
    ):
        for descriptor in (1, 2):
            with suppress(
                OSError
            ):  # the descriptor was closed at the start: there is nothing to capture
                kept[descriptor] = os.dup(descriptor)
                os.dup2(log.fileno(), descriptor)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            _flush(sys.stdout, sys.stderr)
            for descriptor, original in kept.items():
                os.dup2(original, descriptor)
                os.close(original)
            if failed and 2 in kept:
                log.seek(0)
                with suppress(OSError):
                    os.write(2, log.read())


def _enter() -> bool:
    global _aside
    if _aside is None:
        try:
            original = os.dup(_STDERR)
        except OSError:
            return False
        _flush(sys.stderr)
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
    if aside.users > 0:  # another thread may be writing a line
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
        with suppress(OSError):  # nobody can read it there
            os.write(aside.original, b"".join(others))
        os.close(aside.original)
        aside.file.close()


def _size(aside: _Aside) -> int:
    return os.fstat(aside.file.fileno()).st_size


def _new_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # Linux: ten times faster, and needs no writable folder
        import fcntl

        descriptor = os.memfd_create("stderr")
        # NB: the kernel locks a usual file's position for each write, but not a memory file's:
        # threads that write at once would overwrite each other's lines.
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        return os.fdopen(descriptor, "rb")
    import tempfile  # takes 5 ms, which Linux saves

    return tempfile.TemporaryFile()


def _flush(*streams: TextIO | None) -> None:
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):  # closed, replaced, or None
            stream.flush()  # type: ignore[union-attr]  # None without a console
