"""Gives one process at a time a temporary folder, which is removed after a failure.

    <home>/locks/<name>.lock      held while <name> is being changed
    <home>/models/.<name>.part    the new folder while it is made
    <home>/models/.<name>.old     the replaced folder until it is removed

The lock ends with its process.  The next process that takes it removes what a killed process has
left, and restores a folder that was being replaced.
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
    """Yields an empty folder on the models' file system; no other process works on `name`.

    `on_wait` is called once if another process has to be waited for.  The folder is removed
    afterwards.  Raises OSError.
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
