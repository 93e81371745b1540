"""Receives the progress of long work.  Imports nothing heavy, so that `--help` stays fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

Item = TypeVar("Item")


class Reporter:
    """Receives the progress of long work.

    This base class is silent; the command line has one that writes to a terminal.
    """

    def note(self, line: str) -> None:
        """Reports one line to a person, such as what begins or is skipped."""

    def detail(self, line: str) -> None:
        """Reports one line to whoever wants to know more, as with --verbose."""

    def failure(self, error: Exception) -> None:
        """Tells that one item of many failed; the work goes on with the next."""
        self.note(str(error))

    def timing(self, stage: str, milliseconds: float) -> None:
        """Tells how long a stage has taken, such as "detect"."""

    def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
        """Yields the items, `length` in number, and reports the progress."""
        return iter(items)

    def amount(self, label: str) -> AbstractContextManager[Callable[[int, int], None] | None]:
        """Yields a function to call with (bytes so far, total bytes); None if nobody is
        listening."""
        return nullcontext()


SILENT = Reporter()
"""A reporter that reports nothing."""
