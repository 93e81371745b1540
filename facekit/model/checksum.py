"""Computes sha256 of files, and caches the hashes.

Hashing a 94 MB model takes 60 ms, a tenth of a whole `facekit verify`.  The hash is therefore
cached
in a small state file together with device, inode, size, and the change times of content and inode.
Any write, copy, rename over the file or `touch` changes one of them (the inode's change time cannot
be set by hand), and the file is hashed again.  Damage below the file system is not noticed;
`facekit
models verify` reads every byte.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from facekit.errors import StorageError
from facekit.system.files import write_atomically

_CHUNK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""Seconds for which the hash of a changed file is not cached: the file may change again within one
tick of its time stamps (2 s on FAT, milliseconds elsewhere)."""


def sha256_of(path: Path) -> str:
    """Hashes the whole file.  Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def file_dict(path: Path) -> dict[str, Any]:
    """A file as JSON has it: its path, sha256 and size.  Raises OSError."""
    return {"path": str(path), "sha256": sha256_of(path), "size_bytes": path.stat().st_size}


def remembered_sha256(path: Path, state_file: Path) -> str:
    """Returns the sha256 of `path`, from `state_file` if the file is unchanged.  Raises OSError."""
    key = str(path.resolve())
    identity = _identity(path)
    state = _read(state_file)
    if (known := state.get(key)) and known[:-1] == identity:
        return str(known[-1])
    sha256 = sha256_of(path)
    settled = time.time_ns() - max(identity[-2:]) > _SETTLED_NS
    if settled and _identity(path) == identity:
        state = {name: entry for name, entry in state.items() if Path(name).exists()}
        _write(state_file, {**state, key: [*identity, sha256]})
    return sha256


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(state_file: Path) -> dict[str, list[int | str]]:
    """Returns the state, empty if the file is absent or damaged: files are then hashed again."""
    try:
        state = json.loads(state_file.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(state, dict):
        return {}
    return {name: entry for name, entry in state.items() if isinstance(entry, list) and entry}


def _write(state_file: Path, state: dict[str, list[int | str]]) -> None:
    with suppress(StorageError):  # in a read-only home, hashing again costs time only
        write_atomically(state_file, json.dumps(state, indent=1).encode())
