"""Searches an SQLite gallery: reads its rows into tables, and keeps caches of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facekit.enums import PersonRule
from facekit.errors import StorageError
from facekit.gallery.search.approximate import AnnIndex, open_index, remove_index, write_index
from facekit.gallery.search.cache import (
    Stamp,
    cache_path,
    read_cache,
    remove_cache,
    write_cache,
)
from facekit.gallery.search.exact import ExactSearch, VectorTable
from facekit.gallery.sqlite.session import SqliteSession
from facekit.gallery.sqlite.vectors import PlainCodec
from facekit.reporter import Reporter
from facekit.types import Float32Array

CACHE_FROM = 20_000
"""Number of templates missing from the cache above which the cache is rewritten; reading so many
from SQLite takes 0.1 s."""
INDEX_FROM = 1_000_000
"""Number of templates above which the approximate index is worth making; one exact search over so
many takes 0.05 s."""
_UNINDEXED_SHARE = 0.1  # share of templates missing from the index above which it is rebuilt
_PROPOSALS = 64  # templates requested from the index per query and then compared exactly
_RECALL_QUERIES = 100
_ROWS_AT_ONCE = 10_000
_HIGHEST = 2**63 - 1  # SQLite's largest integer

_log = logging.getLogger(__name__)


class SqliteSearch:
    """Searches over one connection, and caches tables in memory until the gallery changes.

    If the gallery is large and its vectors are not encrypted, a memory-mapped file holds a copy
    of them; see gallery/search/cache.py.
    """

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._cache = cache_path(session.path)
        self._index_cache: tuple[Stamp, AnnIndex | None] | None = None
        self._exact_cache: tuple[tuple[int, int], ExactSearch] | None = None
        self._is_cached = False
        """Whether the exact search reads vectors from the memory-mapped file."""

    def rank(
        self,
        queries: Float32Array,
        dimension: int,
        *,
        rule: PersonRule,
        top: int,
    ) -> list[list[tuple[int, float]]]:
        """Returns (person_id, similarity) of the `top` people per query, like ExactSearch.rank.

        With an approximate index, the result may lack a person.  Call the method within a
        transaction.
        """
        index = self._index(dimension) if rule is PersonRule.BEST else None
        if index is not None:
            unindexed = self._read_after(index.last, dimension)
            return [self._rank_proposed(index, unindexed, query, top) for query in queries]
        exact = self.exact(dimension)
        ranked = exact.rank(queries, rule=rule, top=top)
        if self._is_cached:
            for query, best in zip(queries, ranked, strict=True):
                self._require_stored(query, best, rule)
        return ranked

    def exact(self, dimension: int) -> ExactSearch:
        """Returns an exact search over all templates, cached until the gallery changes."""
        last = self._session.one("SELECT coalesce(max(template_id), 0) FROM template")
        stamp = stamp_of(self._session, dimension)
        state = (stamp.removals, last)
        if self._exact_cache is None or self._exact_cache[0] != state:
            self._exact_cache = state, ExactSearch(self._tables(stamp))
        return self._exact_cache[1]

    def refresh_index(self, dimension: int, *, reporter: Reporter) -> bool:
        """Makes the approximate index if the gallery is large and the index is missing or outdated.

        Returns True if the index was made.  Raises StorageError if the index cannot be written, and
        MissingExtraError if usearch is not installed.
        """
        session = self._session
        count = session.one("SELECT count(*) FROM template")
        if count < INDEX_FROM or not isinstance(session.codec, PlainCodec):
            return False
        index = self._index(dimension)
        if index is not None and self._unindexed_count(index) <= _UNINDEXED_SHARE * count:
            return False
        reporter.note("building the approximate index: about 20 minutes for a million templates")
        try:
            blocks = reporter.steps(
                self._blocks(dimension), length=-(-count // _ROWS_AT_ONCE), label="indexing"
            )
            write_index(session.path, stamp_of(session, dimension), blocks)
        except OSError as error:
            raise StorageError(
                f"Cannot write the index beside {session.path}: {error.strerror}"
            ) from error
        self._index_cache = None
        return True

    def recall_at_1(self, dimension: int) -> float | None:
        """Returns the share, 0..1, of random templates whose nearest other one the index finds.

        Draws up to 100 templates.  Returns None if there is no index.
        """
        index = self._index(dimension)
        if index is None:
            return None
        sample = self._session.connection.execute(
            "SELECT template_id FROM template WHERE template_id <= ? ORDER BY random() LIMIT ?",
            (index.last, _RECALL_QUERIES),
        ).fetchall()
        table = self._table_of_ids([template_id for (template_id,) in sample], dimension)
        nearest: list[tuple[float, int]] = [(-2.0, 0)] * len(table.template_ids)
        for block in self._blocks(dimension, last=index.last):
            scores = table.vectors @ block.vectors.T
            scores[table.template_ids[:, None] == block.template_ids] = -2.0  # itself
            for row, column in enumerate(scores.argmax(axis=1)):
                found = (float(scores[row, column]), int(block.template_ids[column]))
                nearest[row] = max(nearest[row], found)
        hits = [
            nearest_id in index.propose(query, _PROPOSALS)
            for (_, nearest_id), query in zip(nearest, table.vectors, strict=True)
        ]
        return float(np.mean(hits))

    def delete_caches(self) -> None:
        """Deletes the copies of the vectors on disk and in memory.  Raises StorageError."""
        self._exact_cache = self._index_cache = None
        try:
            remove_cache(self._cache)
            remove_index(self._session.path)
        except OSError as error:
            raise StorageError(
                f"Cannot remove {error.filename}, which holds vectors: {error.strerror}"
            ) from error

    def _tables(self, stamp: Stamp) -> tuple[VectorTable, ...]:
        may_cache = isinstance(self._session.codec, PlainCodec)
        cached = read_cache(self._cache, stamp) if may_cache else None
        self._is_cached = cached is not None
        last = int(cached.template_ids[-1]) if cached is not None else 0
        unindexed = self._read_after(last, stamp.dimension)
        tables = (unindexed,) if cached is None else (cached, unindexed)
        if not may_cache or len(unindexed.template_ids) < CACHE_FROM:
            return tables
        whole = _joined(tables)
        try:
            write_cache(self._cache, stamp, whole)
        except OSError as error:  # the result is the same; the next search is as slow as this one
            _log.warning("No copy of the vectors in %s: %s", self._cache, error.strerror)
            return (whole,)
        cached = read_cache(self._cache, stamp)
        self._is_cached = cached is not None
        return (whole if cached is None else cached,)

    def _read_after(self, last: int, dimension: int) -> VectorTable:
        """Returns the templates whose numbers are higher than `last`."""
        session = self._session
        count = session.one("SELECT count(*) FROM template WHERE template_id > ?", last)
        template_ids, person_ids = np.empty(count, np.int64), np.empty(count, np.int64)
        vectors = np.empty((count, dimension), np.float32)
        start = 0
        for block in self._blocks(dimension, after=last):
            rows = slice(start, start + len(block.template_ids))
            template_ids[rows] = block.template_ids
            person_ids[rows] = block.person_ids
            vectors[rows] = block.vectors
            start = rows.stop
        return VectorTable(template_ids, person_ids, vectors)

    def _blocks(
        self, dimension: int, *, after: int = 0, last: int = _HIGHEST
    ) -> Iterator[VectorTable]:
        """Yields the templates numbered after + 1 to last in blocks."""
        rows = self._session.connection.execute(
            _ROWS + "WHERE template_id > ? AND template_id <= ? ORDER BY template_id",
            (after, last),
        )
        while block := rows.fetchmany(_ROWS_AT_ONCE):
            yield self._table(block, dimension)

    def _table_of_ids(self, template_ids: Sequence[int], dimension: int) -> VectorTable:
        placeholders = ",".join("?" * len(template_ids))
        rows = self._session.connection.execute(
            f"{_ROWS}WHERE template_id IN ({placeholders}) ORDER BY template_id", template_ids
        )
        return self._table(rows.fetchall(), dimension)

    def _table(self, rows: Sequence[Any], dimension: int) -> VectorTable:
        owners = [self._session.owner(row[1], row[2]) for row in rows]
        return VectorTable(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.int64),
            self._session.decoded([row[3] for row in rows], owners, dimension),
        )

    def _index(self, dimension: int) -> AnnIndex | None:
        """Returns the index of the gallery's current state, or None; each state is opened once."""
        stamp = stamp_of(self._session, dimension)
        if self._index_cache is None or self._index_cache[0] != stamp:
            self._index_cache = stamp, open_index(self._session.path, stamp)
        return self._index_cache[1]

    def _require_stored(
        self, query: Float32Array, best: Sequence[tuple[int, float]], rule: PersonRule
    ) -> None:
        """Compares the found people's similarities with those by the gallery's own templates.

        The file of vectors has no checksums, because reading all of it would take longer than the
        search.  Raises StorageError if they differ, and removes the file.
        """
        placeholders = ",".join("?" * len(best))
        rows = self._session.connection.execute(
            f"{_ROWS}WHERE person_id IN ({placeholders}) ORDER BY template_id",
            [person_id for person_id, _ in best],
        ).fetchall()
        stored = ExactSearch((self._table(rows, len(query)),))
        (ranked,) = stored.rank(query[None], rule=rule, top=len(best))
        found = dict(ranked)
        if any(abs(found.get(one, -2.0) - similarity) > 1e-4 for one, similarity in best):
            self.delete_caches()
            raise StorageError(
                f"{self._cache} was damaged: its vectors were not the gallery's. It has been "
                "removed, and the next search makes it anew. Repeat the search."
            )

    def _unindexed_count(self, index: AnnIndex) -> int:
        return self._session.one("SELECT count(*) FROM template WHERE template_id > ?", index.last)

    def _rank_proposed(
        self, index: AnnIndex, unindexed: VectorTable, query: Float32Array, top: int
    ) -> list[tuple[int, float]]:
        """Ranks people by exact comparison with the proposed and the unindexed templates."""
        proposed = index.propose(query, max(_PROPOSALS, 8 * top)).tolist()
        tables = (self._table_of_ids(proposed, len(query)), unindexed)
        (ranked,) = ExactSearch(tables).rank(query[None], rule=PersonRule.BEST, top=top)
        return ranked


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


_ROWS = "SELECT template_id, person_id, photo_sha256, vector FROM template "
