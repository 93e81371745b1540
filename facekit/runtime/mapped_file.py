"""Gives back the memory of a mapped model file once its weights have been packed."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4  # Linux, <bits/mman-linux.h>


def release_pages(path: Path) -> None:
    """Drops the resident pages of every read-only mapping of `path`; a no-op but on Linux.

    When tensors are planned, XNNPACK copies the weights into its own layout and the file is
    not read again: half of a float32 model's memory.  A page that is needed after all comes
    back from the file by itself.
    """
    if not sys.platform.startswith("linux"):
        return
    name = str(path.resolve())
    madvise = ctypes.CDLL(None).madvise
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, rights, *_ = line.split(maxsplit=2)
            if "w" in rights or not line.rstrip("\n").endswith(name):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
