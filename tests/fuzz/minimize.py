"""Makes an input that does harm as small and as empty as it can be with the same harm."""

from __future__ import annotations

import os
import select
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.door import LONGEST_S, Door, Spoilt, Use, memory_folder
from tests.fuzz.run import tried


def minimized(door: Door, suffix: str, content: bytes) -> bytes:
    """Leaves out chunks, and fills them with zeros, of half the length to a byte.

    Raises SystemExit if the input does no harm at all.
    """
    with tempfile.TemporaryDirectory(prefix="facekit-fuzz-", dir=memory_folder()) as name:
        folder = Path(name)
        (folder / "own").mkdir()
        use = door.open(folder / "own")
        if not (wanted := _harm(use, Spoilt(suffix, content), folder)):
            raise SystemExit("It does no harm in a process of its own.")
        length = len(content)
        while length := length // 2:
            at = 0
            while at < len(content):
                for less in _less(content, at, at + length):
                    if _harm(use, Spoilt(suffix, less), folder) == wanted:
                        break
                else:
                    less = content
                at += 0 if len(less) < len(content) else length
                content = less
        return content


def _less(content: bytes, start: int, end: int) -> Iterator[bytes]:
    yield content[:start] + content[end:]
    if any(content[start:end]):
        yield content[:start] + bytes(len(content[start:end])) + content[end:]


def _harm(use: Use, spoilt: Spoilt, folder: Path) -> str:
    """Tries the input in a fork; returns the kind of harm without its details, or ""."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, tried(use, spoilt, folder)[2].encode())
        os._exit(0)
    os.close(write)
    hangs = not select.select([read], [], [], LONGEST_S)[0]
    if hangs:
        os.kill(child, signal.SIGKILL)
    with open(read, encoding="utf-8") as answer:
        said = answer.read()
    status = os.waitpid(child, 0)[1]
    if hangs:
        return "hangs"
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said.partition(": ")[0]
