"""Progress on stderr, and only where a person is looking."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
    """Passes items through; on a terminal with a bar and the time that is left."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
        yield from bar
