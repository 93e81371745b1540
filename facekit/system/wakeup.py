"""An event that a signal handler may set, and waiting for one."""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Wakeup:
    """Ends a wait in `wait_for` at once, from a signal handler or from another thread.

    A threading.Event is no substitute: to set one within a signal handler can lock up.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def set(self) -> None:
        """Makes `is_set` true, for good or until `clear`."""
        with suppress(BlockingIOError):  # the pipe is full: it is set already
            os.write(self._writer, b"\0")

    def is_set(self) -> bool:
        return bool(select.select([self._reader], [], [], 0)[0])

    def clear(self) -> None:
        while self.is_set():
            os.read(self._reader, 4096)

    def fileno(self) -> int:
        return self._reader

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


def wait_for(*wakeups: Wakeup, seconds: float) -> None:
    """Returns after `seconds`, or as soon as one of the wakeups is set."""
    select.select(wakeups, [], [], seconds)
