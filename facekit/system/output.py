"""Several files that belong together, put into a folder at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from facekit.errors import StorageError, UsageError


def require_absent(folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Raises UsageError where one of the files exists and `force` does not allow replacing it.

    To be asked before the work whose result they are.
    """
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise UsageError(
            f"{', '.join(there)} in {folder} would be replaced. Pass --force to allow it, or "
            "another folder with -o."
        )


def put_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files under a temporary name, then renames one after the other, the last last.

    Until all are on the disk, nothing in the folder changes: a disk that is full or an
    interrupt leaves earlier files as they were, and no parts of new ones.
    Raises StorageError, which names the folder and the reason.
    """
    temporary: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".facekit-", suffix=".part"))
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in files:
            (temporary / name).replace(folder / name)
    except OSError as error:
        raise StorageError(f"Cannot write to {folder}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
