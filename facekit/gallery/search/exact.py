"""Exact search: compares queries with every template by blocked matrix products.

A large table also has int8 codes (codes.py).  A call with few queries compares each query with the
codes first, and in float32 only with the people who can still be among the best.  The result is the
same as without codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.enums import PersonRule
from facekit.gallery.search.codes import CodeTable, coded_scores, kernels
from facekit.types import Float32Array

_BLOCK_ROWS = 65_536  # rows copied and summed at a time: 128 MB for 512 float32 each
_QUERIES_AT_ONCE = 32  # limits the stored scores to 128 MB for a million templates
_FEW_QUERIES = 4  # with more queries, one pass over the float32 vectors by BLAS is faster
_MAX_RECHECKED_SHARE = 0.1  # if a larger share must be compared in float32, all templates are


@dataclass(frozen=True, slots=True, eq=False)
class VectorTable:
    """Templates in the order of their enrollment."""

    template_ids: NDArray[np.int64]
    """(N,) ascending."""
    person_ids: NDArray[np.int64]
    """(N,) the person of each template."""
    vectors: Float32Array
    """(N, D) of unit length; may be mapped from a file."""
    codes: CodeTable | None = None
    """Codes of the same vectors if the table is large, else None."""


class ExactSearch:
    """Ranks the people of one or more tables by similarity, without copying the tables."""

    def __init__(self, tables: Sequence[VectorTable]) -> None:
        self._tables = tables
        person_ids = np.concatenate([table.person_ids for table in tables])
        self._order: NDArray[np.intp] | None = None
        if np.any(person_ids[1:] < person_ids[:-1]):  # people were enrolled alternately
            self._order = np.argsort(person_ids, kind="stable")
            person_ids = person_ids[self._order]
        self._starts = _group_starts(person_ids)
        self._counts = np.diff(np.append(self._starts, len(person_ids)))
        self.person_ids = person_ids[self._starts]
        self._sum_norms: Float32Array | None = None
        coded = any(table.codes is not None for table in tables)
        self._kernels = kernels() if coded else None

    def rank(
        self, queries: Float32Array, *, rule: PersonRule, top: int
    ) -> list[list[tuple[int, float]]]:
        """Returns for each query the `top` people as (person_id, similarity), most similar first.

        `queries`: (Q, D) float32 vectors of unit length.
        """
        if not len(self.person_ids):
            return [[] for _ in queries]
        if self._kernels is not None and len(queries) <= _FEW_QUERIES:
            return [self._rank_by_codes(query, rule, top) for query in queries]
        return self._rank_all(queries, rule, top)

    def _rank_all(
        self, queries: Float32Array, rule: PersonRule, top: int
    ) -> list[list[tuple[int, float]]]:
        ranked = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            block = queries[start : start + _QUERIES_AT_ONCE]
            scores = [block @ table.vectors.T for table in self._tables]
            for person_scores in self._by_person(np.concatenate(scores, axis=1), rule):
                ranked.append(_top_ranked(self.person_ids, person_scores, top))
        return ranked

    def _rank_by_codes(
        self, query: Float32Array, rule: PersonRule, top: int
    ) -> list[tuple[int, float]]:
        """Ranks the people for one query (D,).

        Estimates all similarities from the codes, then computes exact similarities for the people
        who can be among the best.
        """
        person_scores, slack = self._by_codes(query, rule)
        count = min(top, len(person_scores))
        # At least `count` people reach this similarity.
        lower_bound = np.partition(person_scores - slack, -count)[-count]
        chosen = np.flatnonzero(person_scores + slack >= lower_bound)
        rows = self._rows_of(chosen)
        if len(rows) > _MAX_RECHECKED_SHARE * self._counts.sum():
            return self._rank_all(query[None], rule, top)[0]
        scores = self._vectors_at(rows) @ query
        starts = np.append(0, np.cumsum(self._counts[chosen])[:-1])
        if rule is PersonRule.BEST:
            exact = np.maximum.reduceat(scores, starts)
        else:
            exact = np.add.reduceat(scores, starts) / self._norms_of_sums()[chosen]
        return _top_ranked(self.person_ids[chosen], exact, top)

    def _by_codes(
        self, query: Float32Array, rule: PersonRule
    ) -> tuple[Float32Array, Float32Array | float]:
        """Returns (people,) similarities to a query (D,), and upper bounds on their errors."""
        scores, bound = [], 0.0
        for table in self._tables:
            if table.codes is None:
                scores.append(table.vectors @ query)
                continue
            of_table, its_bound = coded_scores(self._kernels, query, table.codes)
            scores.append(of_table)
            bound = max(bound, its_bound)
        (person_scores,) = self._by_person(np.concatenate(scores)[None], rule)
        if rule is PersonRule.BEST:
            return person_scores, bound
        # A person's similarity is the sum of the templates' similarities, divided by |sum t|.  Its
        # error is at most count * bound / |sum t|.
        return person_scores, np.float32(bound) * (self._counts / self._norms_of_sums())

    def _by_person(self, scores: Float32Array, rule: PersonRule) -> Float32Array:
        """Reduces similarities (Q, N), whose columns are in the order of the tables, to (Q,
        people)."""
        grouped = scores if self._order is None else scores[:, self._order]
        if rule is PersonRule.BEST:
            return np.maximum.reduceat(grouped, self._starts, axis=1)
        # q . (sum t / |sum t|) = (sum q . t) / |sum t|
        sums: Float32Array = np.add.reduceat(grouped, self._starts, axis=1)
        return sums / self._norms_of_sums()

    def _rows_of(self, people: NDArray[np.intp]) -> NDArray[np.intp]:
        """Returns the indices, over all tables, of some people's templates, person by person."""
        counts = self._counts[people]
        first = np.repeat(self._starts[people] - np.append(0, np.cumsum(counts)[:-1]), counts)
        indices = first + np.arange(len(first))
        return indices if self._order is None else self._order[indices]

    def _vectors_at(self, rows: NDArray[np.intp]) -> Float32Array:
        """Returns (M, D): the vectors at M indices over all tables."""
        vectors = np.empty((len(rows), self._tables[0].vectors.shape[1]), np.float32)
        first = 0
        for table in self._tables:
            inside = np.flatnonzero((rows >= first) & (rows < first + len(table.vectors)))
            vectors[inside] = table.vectors[rows[inside] - first]
            first += len(table.vectors)
        return vectors

    def _norms_of_sums(self) -> Float32Array:
        """Returns (people,): the length of the sum of each person's templates."""
        if self._sum_norms is None:
            dimension = self._tables[0].vectors.shape[1]
            sums = np.zeros((len(self.person_ids), dimension), np.float32)
            for table in self._tables:
                indices = np.searchsorted(self.person_ids, table.person_ids)
                order = np.argsort(indices, kind="stable")
                for start in range(0, len(order), _BLOCK_ROWS):
                    rows = order[start : start + _BLOCK_ROWS]
                    first = _group_starts(indices[rows])
                    sums[indices[rows][first]] += np.add.reduceat(
                        table.vectors[rows], first, axis=0
                    )
            # Templates that cancel out have no mean direction.  The lower limit keeps the quotient
            # of two rounding errors small.
            self._sum_norms = np.maximum(np.linalg.norm(sums, axis=1), np.float32(1e-6))
        return self._sum_norms


def _top_ranked(
    person_ids: NDArray[np.int64], scores: Float32Array, top: int
) -> list[tuple[int, float]]:
    count = min(top, len(scores))
    indices = np.argpartition(scores, -count)[-count:]
    indices = indices[np.argsort(-scores[indices], kind="stable")]
    return [(int(person_ids[index]), float(np.clip(scores[index], -1.0, 1.0))) for index in indices]


def _group_starts(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Returns the index of the first value of each run of equal values."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
