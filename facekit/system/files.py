"""Writes and replaces files and folders so that a reader sees the old or the new one, never a
part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from facekit.errors import StorageError, UsageError


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Writes a temporary file in the same folder, flushes it to disk and renames it.

    `private`: the file has mode 0600, for templates and pictures of faces; otherwise its mode
    follows the process's umask.
    Raises StorageError, which names the file and the reason; an existing file is unchanged then.
    """
    if _is_special(path):  # a rename would replace a device, which root may do
        raise StorageError(f"Cannot write {path}: it is a device or a pipe.")
    import tempfile  # takes 5 ms, which commands that write nothing save

    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:  # mkstemp makes 0600
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_free(*paths: Path | None, force: bool) -> None:
    """Raises UsageError if one of the paths is a file, or a folder that is not empty.

    Call it before the work whose results go there.  `force` allows both, but neither a device nor
    a pipe, such as /dev/stdout, because the renamed file would replace it.  None is skipped.
    """
    given = [path for path in paths if path is not None]
    if special := [str(path) for path in given if _is_special(path)]:
        raise UsageError(f"{', '.join(special)} is a device or a pipe. Name a file instead.")
    if taken := [str(path) for path in given if not force and _is_taken(path)]:
        raise UsageError(
            f"{', '.join(taken)} would be replaced. Pass --force to allow it, or name another path."
        )


def _is_special(path: Path) -> bool:
    return path.exists() and not (path.is_file() or path.is_dir())


def _is_taken(path: Path) -> bool:
    try:
        return path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError as error:
        raise StorageError(f"Cannot look at {path}: {error.strerror or error}") from error


def put_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files that belong together under temporary names, then renames them in order.

    Nothing in the folder changes before all files are on disk: a full disk or an interrupt leaves
    existing files as they were, and no parts of new ones.
    Raises StorageError, which names the folder and the reason.
    """
    import shutil
    import tempfile

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


def put_in_place(folder: Path, target: Path) -> None:
    """Renames `folder` to `target` and removes the earlier content of `target`.

    A process that is killed in between leaves that content in `replaced(target)`.  Raises OSError.
    """
    for path in (*folder.iterdir(), folder):
        _flush(path)
    old = replaced(target)
    if target.exists():
        target.rename(old)
    folder.rename(target)
    _flush(target.parent)
    remove_folder(old)


def replaced(target: Path) -> Path:
    """Returns the folder in which `put_in_place` keeps the earlier content for the moment."""
    return target.with_name(f".{target.name}.old")


def remove_folder(folder: Path) -> None:
    """Removes a folder with its content; a missing folder is no error.  Raises OSError."""
    if folder.exists():
        import shutil  # takes 5 ms with its compressors, which finding a model saves

        shutil.rmtree(folder)


def _flush(path: Path) -> None:
    """Flushes a file to disk: before, a power cut could leave its name without the bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
