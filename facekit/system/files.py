"""Writing files so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path

from facekit.errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Temporary file in the same folder, flushed to disk, then renamed.

    Raises StorageError, which names the file and the reason; the earlier file is untouched.
    """
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
