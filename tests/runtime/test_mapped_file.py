"""Memory of a mapped file is given back, and what it held can still be read."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from facekit.runtime.interpreter import release_pages

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

SIZE = 4 * 2**20


def resident_kb(path: Path) -> int:
    """Resident memory of the mappings of `path`, from /proc/self/smaps."""
    inside, total = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


def test_pages_go_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "model with a space.bin"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        total = sum(mapped[::4096])
        assert resident_kb(path) >= SIZE // 1024
        release_pages(path)
        assert resident_kb(path) == 0
        assert sum(mapped[::4096]) == total
        assert mapped[257] == 1


def test_a_writable_mapping_keeps_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[0] = 7
        release_pages(path)
        assert mapped[0] == 7


def test_a_file_that_is_not_mapped_is_fine(tmp_path: Path) -> None:
    release_pages(tmp_path / "none.bin")
