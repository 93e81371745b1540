"""Caches the vectors of a large gallery in one memory-mapped file beside the SQLite file.

    4096 bytes   padded JSON: the state of the gallery that the file was made from
    N x int64    template ids, ascending
    N x int64    person ids
    N x D x f4   vectors
    N x f4       scales of the codes
    N x D x i1   codes, see codes.py: one query reads all codes and few of the vectors

The file holds the templates up to some template number; later templates are read from the gallery.
The stamp in the file counts removals, so that removing somebody makes the file outdated.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facekit.gallery.search.codes import CodeTable, encoded
from facekit.gallery.search.exact import VectorTable

_HEADER_BYTES = 4096
_SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state of a gallery that a cache was made from."""

    gallery_id: str
    removals: int
    """How many times the gallery's copies on disk were made outdated, e.g. by removing somebody."""
    dimension: int


def cache_path(gallery: Path) -> Path:
    return gallery.with_name(f"{gallery.name}-vectors")


def read_cache(path: Path, stamp: Stamp) -> VectorTable | None:
    """Returns the memory-mapped table, or None if there is no usable file.

    A file that is damaged or was made from another state of the gallery is removed.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(_HEADER_BYTES))
        rows, error = int(header.pop("rows")), float(header.pop("code_error"))
        if header != _header(stamp):
            raise ValueError("of another state")
        size = stamp.dimension
        offset = _HEADER_BYTES
        parts = []
        for kind, shape in (
            ("<i8", (2, rows)),
            ("<f4", (rows, size)),
            ("<f4", (rows,)),
            ("i1", (rows, size)),
        ):
            # Plain arrays over the mapping, because indexing a memmap costs more at every step.
            mapped = np.asarray(np.memmap(path, np.dtype(kind), "r", offset=offset, shape=shape))
            parts.append(mapped)
            offset += mapped.nbytes
        ids, vectors, scales, codes = parts
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        remove_cache(path)
        return None
    return VectorTable(ids[0], ids[1], vectors, CodeTable(codes, scales, error))


def write_cache(path: Path, stamp: Stamp, table: VectorTable) -> None:
    """Writes the cache under a temporary name, mode 0600, and renames it.

    Raises OSError if the cache cannot be written; no file then remains.
    """
    for left in path.parent.glob(f".{path.name}.*.part"):  # of a process that was killed or is slow
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            coded = encoded(table.vectors)
            header = json.dumps(
                {**_header(stamp), "rows": len(table.template_ids), "code_error": coded.error}
            )
            file.write(header.encode().ljust(_HEADER_BYTES))
            file.write(table.template_ids.astype("<i8", copy=False).data)
            file.write(table.person_ids.astype("<i8", copy=False).data)
            file.write(table.vectors.astype("<f4", copy=False).data)
            file.write(coded.scales.astype("<f4", copy=False).data)
            file.write(coded.codes.data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def remove_cache(path: Path) -> None:
    """Removes the cache and its parts.  Raises OSError if a file cannot be removed."""
    for file in (path, *path.parent.glob(f".{path.name}.*.part")):
        file.unlink(missing_ok=True)


def _header(stamp: Stamp) -> dict[str, str | int]:
    return {"schema_version": _SCHEMA_VERSION, **asdict(stamp)}
