"""Progress, notes and the wish to stop, where a person is looking."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import click

from facekit.cli.render.output import Verbosity, note, note_error, verbosity
from facekit.reporter import Item, Reporter
from facekit.system.wakeup import Wakeup


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


class StopRequest(Wakeup):
    """What the first signal sets."""

    exit_code = 0
    """what shells report for a process ended by that signal: 128 and its number"""


@contextmanager
def asked_to_stop(first: signal.Signals, *more: signal.Signals) -> Iterator[StopRequest]:
    """Yields what the first of these signals sets; the second one acts as usual."""
    asked = StopRequest()
    originals = {number: signal.getsignal(number) for number in (first, *more)}

    def restore() -> None:
        for number, original in originals.items():
            signal.signal(number, original)

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.exit_code = 128 + number
        asked.set()
        restore()

    for number in originals:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()
        asked.close()
