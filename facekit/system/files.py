"""Files and folders that a reader sees as they were or as they shall be, never a part of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from facekit.errors import StorageError, UsageError


def write_atomically(path: Path, content: bytes) -> None:
    """Temporary file in the same folder, flushed to disk, then renamed.

    Raises StorageError, which names the file and the reason; the earlier file is untouched.
    """
    if _is_special(path):  # renaming would take a device away, and root may do so
        raise StorageError(f"Cannot write {path}: it is a device or a pipe.")
    import tempfile  # 5 ms, which a command that writes nothing need not pay

    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 is meant for secrets
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_free(*paths: Path | None, force: bool) -> None:
    """Raises UsageError if one of the paths is a file, or a folder that holds anything.

    To be called before the work whose results go there.  `force` allows both, but no device and no
    pipe, such as /dev/stdout: what is written by renaming would take its place.  A path that is
    None is passed over.
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
    """Writes files that belong together under a temporary name, then renames them, the last last.

    Until all are on the disk, nothing in the folder changes: a disk that is full or an
    interrupt leaves earlier files as they were, and no parts of new ones.
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
    """Renames `folder` to `target`, whose earlier content is removed.

    A process that is killed meanwhile leaves that content in `replaced(target)`.  Raises OSError.
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
    """Where `put_in_place` keeps a folder's earlier content until the new one is there."""
    return target.with_name(f".{target.name}.old")


def remove_folder(folder: Path) -> None:
    """With all that is in it; a folder that is not there is no error.  Raises OSError."""
    if folder.exists():
        import shutil  # with its compressors 5 ms, which finding a model need not pay

        shutil.rmtree(folder)


def _flush(path: Path) -> None:
    """Until this returns, a power cut could leave the name without the bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
