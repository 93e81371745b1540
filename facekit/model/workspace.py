"""One process at a time, in a temporary folder that never outlives a failure for long.

    <home>/locks/<name>.lock      held while <name> is being changed
    <home>/models/.<name>.part    the new folder while it is made
    <home>/models/.<name>.old     the replaced folder until it is removed

The lock ends with its process, however that ends.  Whoever holds it next removes what a killed
process has left, and puts back a folder that was being replaced.
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
    """An empty folder on the file system of the models, while no other process works on `name`.

    `on_wait` is called once where another process has to be waited for.  Whatever is still in
    the folder afterwards is removed.  Raises OSError.
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
    import fcntl  # POSIX only; imported here so that reading models works anywhere

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
