"""A file that is too large for every limit."""

from __future__ import annotations

from pathlib import Path


def four_terabytes(path: Path) -> None:
    """Writes a file of 4 TB, none of it on disk."""
    with path.open("wb") as file:
        file.truncate(1 << 42)
