"""Provides a temporary folder to one process at a time.

    <home>/locks/<name>.lock      held while <name> is being changed
    <home>/models/.<name>.part    the new folder while it is filled
    <home>/models/.<name>.old     the replaced folder until it is removed

The lock ends with the process that holds it.  The next process that acquires the lock removes the
files that a killed process left behind, and restores a folder that was being replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facekit.system.files import remove_folder, replaced


@contextmanager
def workspace(
    home: Path, name: str, *, on_wait: Callable[[], None] | None = None
) -> Iterator[Path]:
    """Yields an empty folder on the models' file system while no other process changes `name`.

    `on_wait` is called once if this process must wait for another one.  The folder is removed at
    the end, unless the caller has renamed it.  Raises OSError if a folder cannot be changed.
    """
    models = home / "models"
    models.mkdir(parents=True, exist_ok=True)
    with _locked(home / "locks" / f"{name}.lock", on_wait):
        folder, target, old = models / f".{name}.part", models / name, replaced(models / name)
        if old.exists() and not target.exists():
            old.rename(target)
        remove_folder(old)
        remove_folder(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            remove_folder(folder)


@contextmanager
def _locked(path: Path, on_wait: Callable[[], None] | None) -> Iterator[None]:
    import fcntl  # POSIX only; imported here so that reading models works on other systems

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
