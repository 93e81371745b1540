"""Computes the SHA-256 of files, and caches the hashes.

Hashing a 94 MB model takes 60 ms, a tenth of the time of `facekit verify`.  The hash is therefore
cached in a small state file, together with the file's device, inode, size, and the change times of
content and inode.  Any write, copy, rename over the file or `touch` changes one of these values
(the inode's change time cannot be set by hand), and the file is hashed again.  Damage below the
file system is not noticed, but `facekit models verify` reads every byte.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from facekit.system.remembered import remember, remembered

_CHUNK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""Nanoseconds for which the hash of a changed file is not cached.

The file may change again within one tick of the time stamps (2 s on FAT, milliseconds elsewhere).
"""


def sha256_of(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of the file.  Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def file_dict(path: Path) -> dict[str, Any]:
    """Returns path, SHA-256 and size of a file for JSON.  Raises OSError if it cannot be read."""
    return {"path": str(path), "sha256": sha256_of(path), "size_bytes": path.stat().st_size}


def remembered_sha256(path: Path, state_file: Path) -> str:
    """Returns the SHA-256 of `path`, from the cache `state_file` if the file is unchanged.

    The cache is updated if it can be written.  Raises OSError if `path` cannot be read.
    """
    key = str(path.resolve())
    identity = _identity(path)
    state = _read(state_file)
    if (known := state.get(key)) and known[:-1] == identity:
        return str(known[-1])
    sha256 = sha256_of(path)
    settled = time.time_ns() - max(identity[-2:]) > _SETTLED_NS
    if settled and _identity(path) == identity:
        # Not Path.exists(), which raises an error for a file in a folder of another user.
        state = {name: entry for name, entry in state.items() if os.path.exists(name)}
        remember(state_file, {**state, key: [*identity, sha256]})
    return sha256


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(state_file: Path) -> dict[str, list[int | str]]:
    """Returns the cached entries, or {} if the cache is absent or damaged."""
    state = remembered(state_file)
    if not isinstance(state, dict):
        return {}
    return {name: entry for name, entry in state.items() if isinstance(entry, list) and entry}
