"""Stores an approximate index (HNSW, by usearch) beside a very large, unencrypted gallery.

    <gallery>-index         usearch's file, int8 codes (codes.py), mapped into memory
    <gallery>-index.json    the state of the gallery that the index was made from

Like the vector file (cache.py), the index holds the templates up to some template number, and is
outdated once somebody has been removed.  The index only proposes templates.  Their similarities are
computed from the gallery's vectors.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.gallery.search.cache import Stamp
from facekit.gallery.search.codes import encoded
from facekit.gallery.search.exact import VectorTable
from facekit.system.extras import require
from facekit.types import Float32Array

_SCHEMA_VERSION = 2
_CONNECTIVITY = 16
_EXPANSION_ADD = 64
_EXPANSION_SEARCH = 400
"""These settings were chosen with benchmarks/gallery_search.py; see
docs/explanation/galleries.md."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnIndex:
    """An open index."""

    index: Any
    last: int
    """Highest template number in the index."""

    def propose(self, query: Float32Array, count: int) -> NDArray[np.int64]:
        """Returns the numbers of up to `count` templates probably nearest to a query (D,)."""
        (code,) = encoded(query[None]).codes
        return np.asarray(self.index.search(code, count).keys, np.int64)


def index_paths(gallery: Path) -> tuple[Path, Path]:
    """Returns the paths of the index file and of the JSON file that describes it."""
    return (
        gallery.with_name(f"{gallery.name}-index"),
        gallery.with_name(f"{gallery.name}-index.json"),
    )


def open_index(gallery: Path, stamp: Stamp) -> AnnIndex | None:
    """Opens the index; returns None if there is no index for this state of the gallery.

    Raises MissingExtraError if usearch is not installed.
    """
    path, description = index_paths(gallery)
    try:
        fields = json.loads(description.read_bytes())
        last, size = int(fields.pop("last")), int(fields.pop("size_bytes"))
        if fields != _described(stamp) or path.stat().st_size != size:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    index = _empty(stamp.dimension)
    index.view(str(path))
    index.expansion_search = _EXPANSION_SEARCH
    return AnnIndex(index, last)


def write_index(gallery: Path, stamp: Stamp, tables: Iterable[VectorTable]) -> None:
    """Makes the index of all `tables`; a million templates take minutes.

    The index is written under a temporary name and renamed.  Raises OSError if it cannot be
    written, and MissingExtraError if usearch is not installed.
    """
    index = _empty(stamp.dimension)
    last = 0
    for table in tables:
        if len(table.template_ids):
            index.add(table.template_ids, encoded(table.vectors).codes)
            last = int(table.template_ids[-1])
    path, description = index_paths(gallery)
    remove_index(gallery)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        index.save(name)
        size = Path(name).stat().st_size
        os.replace(name, path)
        with os.fdopen(
            os.open(description, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
        ) as f:
            json.dump({**_described(stamp), "last": last, "size_bytes": size}, f)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def remove_index(gallery: Path) -> None:
    """Removes the index and its parts.  Raises OSError if a file cannot be removed."""
    path, description = index_paths(gallery)
    for file in (description, path, *path.parent.glob(f".{path.name}.*.part")):
        file.unlink(missing_ok=True)


def _described(stamp: Stamp) -> dict[str, str | int]:
    return {"schema_version": _SCHEMA_VERSION, **asdict(stamp)}


def _empty(dimension: int) -> Any:
    usearch = require("usearch.index", extra="ann", needed_for="An approximate index")
    return usearch.Index(
        ndim=dimension,
        metric="cos",  # because each row of codes has a scale of its own
        dtype="i8",
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION_ADD,
    )
