"""Whom long work tells how far it is.  Imports nothing heavy, so that `--help` stays fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

Item = TypeVar("Item")


class Reporter:
    """Whom long work tells how far it is.

    This one is silent; the command line has one that writes to a terminal.
    """

    def note(self, line: str) -> None:
        """Tells a person one line, such as what is begun or passed over."""

    def failure(self, error: Exception) -> None:
        """Tells that one item of many failed; the work goes on with the next."""
        self.note(str(error))

    def timing(self, stage: str, milliseconds: float) -> None:
        """Tells how long a stage has taken, such as "detect"."""

    def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
        """Passes the items through, of which there are `length`, while they are worked off."""
        return iter(items)

    def amount(self, label: str) -> AbstractContextManager[Callable[[int, int], None] | None]:
        """Yields whom to tell (bytes so far, bytes in all); None where nobody wants to know."""
        return nullcontext()


SILENT = Reporter()
"""Tells nobody anything."""
