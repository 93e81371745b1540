"""Reads the tables that commands print for people."""

from __future__ import annotations

import re


def cells(line: str) -> list[str]:
    """What stands between gaps of two spaces or more; an empty cell is not there."""
    return re.split(r" {2,}", line.strip())


def rows(text: str) -> list[list[str]]:
    """The cells of each line."""
    return [cells(line) for line in text.splitlines()]


def fields(text: str) -> dict[str, str]:
    """Labels and texts of labeled lines; of a text that goes on below, all of it."""
    found: dict[str, str] = {}
    label = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            label, _, line = line.partition("  ")
        found[label] = f"{found.get(label, '')} {line.strip()}".strip()
    return found
