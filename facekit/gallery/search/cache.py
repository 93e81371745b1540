"""The vectors of a large gallery as one file that is mapped into memory, beside the SQLite file.

    4096 bytes   JSON, padded: what it was made from
    N x int64    template ids, rising
    N x int64    person ids
    N x D x f4   vectors
    N x f4       scales of the codes
    N x D x i1   codes, see codes.py: a search of one query reads these, and few of the vectors

It holds the templates up to a number; later ones are read from the gallery itself.  Removing
somebody makes it stale, since its stamp says how often somebody had been removed.
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
    """The state of a gallery that a cache belongs to."""

    gallery_id: str
    removals: int
    """how often somebody has been removed"""
    dimension: int


def cache_path(gallery: Path) -> Path:
    return gallery.with_name(f"{gallery.name}-vectors")


def read_cache(path: Path, stamp: Stamp) -> VectorTable | None:
    """The mapped table; None, and the file is gone, where it is of another state or damaged."""
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
            # Plain arrays over the mapping: indexing a memmap costs more at every step.
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
    """By temporary name and rename, mode 0600.  Raises OSError; nothing is left then."""
    for left in path.parent.glob(f".{path.name}.*.part"):  # of a killed process, or a slower one
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
    """Raises OSError."""
    for file in (path, *path.parent.glob(f".{path.name}.*.part")):
        file.unlink(missing_ok=True)


def _header(stamp: Stamp) -> dict[str, str | int]:
    return {"schema_version": _SCHEMA_VERSION, **asdict(stamp)}
