"""Progress, notes and Ctrl-C, where a person is looking."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event
from types import FrameType
from typing import Any

import click

from facekit.cli.render.output import Verbosity, note, note_error, verbosity
from facekit.reporter import Item, Reporter


class TerminalReporter(Reporter):
    """Notes as lines on stderr, and bars with the time that is left where stderr is a terminal."""

    def note(self, line: str) -> None:
        note(line)

    def detail(self, line: str) -> None:
        if verbosity() is Verbosity.VERBOSE:
            note(line)

    def failure(self, error: Exception) -> None:
        note_error(str(error))

    def timing(self, stage: str, milliseconds: float) -> None:
        if verbosity() is Verbosity.VERBOSE:
            note(f"{stage}: {milliseconds:.1f} ms")

    def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
        if not _shows_bars():
            yield from items
            return
        with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
            yield from bar

    @contextmanager
    def amount(self, label: str) -> Iterator[Callable[[int, int], None] | None]:
        if not _shows_bars():
            yield None
            return
        with ExitStack() as stack:
            bars: list[Any] = []

            def tell(done: int, total: int) -> None:
                if not bars:  # the total is known from the first byte on
                    bar = click.progressbar(length=total, label=label, file=sys.stderr)
                    bars.append(stack.enter_context(bar))
                bars[0].update(done - bars[0].pos)

            yield tell


def _shows_bars() -> bool:
    return verbosity() is not Verbosity.QUIET and sys.stderr.isatty()


@contextmanager
def asked_to_stop() -> Iterator[Event]:
    """Yields an event that the first Ctrl-C sets; the second one interrupts as usual."""
    asked = Event()
    original = signal.getsignal(signal.SIGINT)

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, original)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, original)
