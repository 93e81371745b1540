"""Reads the tables that commands print for people."""

from __future__ import annotations

import re

from facekit.cli.render.table import WIDTH, width_of

_TITLE = re.compile(r"[A-Z0-9][A-Z0-9_/ '<>=.\-]*")


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


def require_readable(text: str) -> None:
    """At most 80 columns but for a last word; two or more columns only under a header.

    Labeled lines are no columns: a label in small letters, and one text.
    """
    assert "\t" not in text
    for line in text.splitlines():
        assert width_of(line) <= WIDTH or width_of(line[: line.rfind(" ") + 1]) < WIDTH, line
        assert line == line.rstrip(), line
    for block in text.split("\n\n"):
        header_seen = False
        for line in block.splitlines():
            found = cells(line)
            header_seen = header_seen or all(_TITLE.fullmatch(cell) for cell in found)
            assert len(found) <= 2 or header_seen, f"no header above: {line}"
