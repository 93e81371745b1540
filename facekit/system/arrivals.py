"""Tells which files of a folder are new or changed, and whole.

A look at the folder decides.  The kernel's events (inotify) only say that it is time for a look,
and which files their writers have closed.  What they do not tell, as on network file systems, of
links, and when there are too many of them at once, is found by the next look.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeAlias

from facekit.errors import InputError
from facekit.system.extras import require
from facekit.system.wakeup import Wakeup

FileState: TypeAlias = tuple[int, int, int]
"""Inode, size in bytes and time of the last change in nanoseconds: another when a file is written,
or replaced by another of its name.  A tuple, since a look makes one of every file, again and again.
"""


class Arrivals:
    """The files of one folder, without its subfolders: which are waited for, which are known."""

    def __init__(
        self,
        folder: Path,
        *,
        wanted: Callable[[str], bool],
        settle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wanted`: whether a file of this name counts.  `settle_s`: seconds for which a file must
        not have changed until it is taken for whole; 0 takes every file as it is.  `clock` returns
        seconds that never run backwards."""
        self._folder = folder
        self._wanted = wanted
        self._settle_s = settle_s
        self._clock = clock
        self._known: dict[str, FileState] = {}
        self._growing: dict[str, tuple[FileState, float]] = {}
        """Files that are not known yet to be whole, and since when they have this state."""

    def leave_out_present(self) -> int:
        """Takes all files that are there for known, until they change; returns how many there are.

        Raises InputError if the folder cannot be read.
        """
        self._known = self._look()
        return len(self._known)

    def whole(self, *, closed: Collection[str] = ()) -> list[str]:
        """Looks, and returns the names of whole files that are new or changed, sorted.

        Each is returned once, and again only after it has changed or has been away.  `closed`:
        names of files that need not settle, because their writers have closed them.
        Raises InputError if the folder cannot be read.
        """
        now, seen = self._clock(), self._look()
        for name in self._known.keys() - seen.keys():
            del self._known[name]
        growing: dict[str, tuple[FileState, float]] = {}
        whole = []
        for name, state in seen.items():
            if state == self._known.get(name):
                continue
            before, since = self._growing.get(name, (state, now))
            since = since if before == state else now
            if name in closed or now - since >= self._settle_s:
                self._known[name] = state
                whole.append(name)
            else:
                growing[name] = state, since
        self._growing = growing
        return sorted(whole)

    def _look(self) -> dict[str, FileState]:
        found = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if self._wanted(entry.name) and (state := _state(entry)) is not None:
                        found[entry.name] = state
        except OSError as error:
            raise InputError(
                f"{self._folder} cannot be read: {error.strerror or error}. A folder is needed, "
                "which stays while it is watched."
            ) from error
        return found


def _state(entry: os.DirEntry[str]) -> FileState | None:
    """None for what is no file, and for a file that has gone meanwhile."""
    try:
        found = entry.stat()
    except OSError:
        return None
    if not S_ISREG(found.st_mode):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class ClosedFiles:
    """The names of files in a folder that are closed after writing, or moved into it.

    Uses inotify by the package watchdog; close it after use.
    """

    def __init__(self, folder: Path, *, wanted: Callable[[str], bool]) -> None:
        """`wanted`: whether a file of this name counts.

        Raises MissingExtraError without watchdog, and OSError if inotify cannot be used.
        """
        inotify = require(
            "watchdog.observers.inotify", extra="watch", needed_for="Seeing new files at once"
        )
        self._wanted = wanted
        self.changed = Wakeup()
        """Set while there are names to take."""
        self._names: deque[str] = deque()  # whose methods are atomic: watchdog has its own thread
        # Full events: without, a file that is moved in looks like one that has just been opened.
        self._observer = inotify.InotifyObserver(generate_full_events=True)
        try:
            self._observer.schedule(self, str(folder))
        except TypeError as error:
            raise OSError("full events do not work in watchdog 4.0.0; 4.0.1 has them") from error
        self._observer.start()

    def dispatch(self, event: Any) -> None:
        """Called by watchdog, in its thread, with each event."""
        if event.event_type not in ("closed", "moved"):
            return
        name = os.path.basename(getattr(event, "dest_path", "") or event.src_path)
        if self._wanted(name):
            self._names.append(name)
            self.changed.set()

    def take(self) -> set[str]:
        """Returns the names since the last call."""
        self.changed.clear()
        names = set()
        while self._names:
            names.add(self._names.popleft())
        return names

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()
        self.changed.close()
