"""From the rows of an SQLite gallery to the tables that are searched."""

from __future__ import annotations

import logging

import numpy as np

from facekit.errors import StorageError
from facekit.gallery.matrix_cache import (
    Stamp,
    cache_path,
    read_cache,
    remove_cache,
    write_cache,
)
from facekit.gallery.records import PersonRule
from facekit.gallery.search import ExactSearch, VectorTable
from facekit.gallery.sqlite_session import SqliteSession
from facekit.gallery.vectors import PlainCodec
from facekit.types import Float32Array

CACHE_FROM = 20_000
"""Templates beyond the cache that make it worth writing: they take 0.1 s to read."""
_ROWS_AT_ONCE = 10_000

_log = logging.getLogger(__name__)


class SqliteSearch:
    """Keeps the search of one connection until the gallery has changed.

    Where the vectors are not encrypted, a large gallery's are kept in a file that is mapped;
    see matrix_cache.py.
    """

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._cache = cache_path(session.path)
        self._kept: tuple[tuple[int, int], ExactSearch] | None = None

    def rank(
        self,
        queries: Float32Array,
        dimension: int,
        *,
        rule: PersonRule,
        top: int,
    ) -> list[list[tuple[int, float]]]:
        """See ExactSearch.rank.  To be called within a transaction."""
        last = self._session.one("SELECT coalesce(max(template_id), 0) FROM template")
        stamp = stamp_of(self._session, dimension)
        state = (stamp.removals, last)
        if self._kept is None or self._kept[0] != state:
            self._kept = state, ExactSearch(self._tables(stamp))
        return self._kept[1].rank(queries, rule=rule, top=top)

    def forget(self) -> None:
        """Removes the copy of the vectors, on disk and in memory.  Raises StorageError."""
        self._kept = None
        try:
            remove_cache(self._cache)
        except OSError as error:
            raise StorageError(
                f"Cannot remove {self._cache}, which holds vectors: {error.strerror}"
            ) from error

    def _tables(self, stamp: Stamp) -> tuple[VectorTable, ...]:
        may_cache = isinstance(self._session.codec, PlainCodec)
        cached = read_cache(self._cache, stamp) if may_cache else None
        last = int(cached.template_ids[-1]) if cached is not None else 0
        late = self._read_after(last, stamp.dimension)
        tables = (late,) if cached is None else (cached, late)
        if not may_cache or len(late.template_ids) < CACHE_FROM:
            return tables
        whole = _joined(tables)
        try:
            write_cache(self._cache, stamp, whole)
        except OSError as error:  # the answer is the same, and the next one as slow as this
            _log.warning("No copy of the vectors in %s: %s", self._cache, error.strerror)
        return (whole,)

    def _read_after(self, last: int, dimension: int) -> VectorTable:
        """The templates with a higher number than `last`."""
        session = self._session
        count = session.one("SELECT count(*) FROM template WHERE template_id > ?", last)
        template_ids, person_ids = np.empty(count, np.int64), np.empty(count, np.int64)
        vectors = np.empty((count, dimension), np.float32)
        rows = session.connection.execute(_ROWS_AFTER, (last,))
        start = 0
        while block := rows.fetchmany(_ROWS_AT_ONCE):
            place = slice(start, start + len(block))
            template_ids[place] = [row[0] for row in block]
            person_ids[place] = [row[1] for row in block]
            owners = [session.owner(row[1], row[2]) for row in block]
            vectors[place] = session.decoded([row[3] for row in block], owners, dimension)
            start += len(block)
        return VectorTable(template_ids, person_ids, vectors)


def stamp_of(session: SqliteSession, dimension: int) -> Stamp:
    return Stamp(session.gallery_id, int(session.meta("removals")), dimension)


def _joined(tables: tuple[VectorTable, ...]) -> VectorTable:
    if len(tables) == 1:
        return tables[0]
    return VectorTable(
        np.concatenate([table.template_ids for table in tables]),
        np.concatenate([table.person_ids for table in tables]),
        np.concatenate([table.vectors for table in tables]),
    )


_ROWS_AFTER = """
SELECT template_id, person_id, photo_sha256, vector FROM template
WHERE template_id > ? ORDER BY template_id
"""
