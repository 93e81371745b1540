"""Exact search: every template is compared, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.gallery.records import PersonRule
from facekit.types import Float32Array

_BLOCK_ROWS = 65_536  # 128 MB of 512 float32: what is summed per person at a time
_QUERIES_AT_ONCE = 32  # bounds the scores held: 128 MB for a million templates


@dataclass(frozen=True, slots=True, eq=False)
class VectorTable:
    """Templates in the order they were enrolled."""

    template_ids: NDArray[np.int64]
    """(N,) rising"""
    person_ids: NDArray[np.int64]
    """(N,)"""
    vectors: Float32Array
    """(N, D) of unit length; may be mapped from a file"""


class ExactSearch:
    """Ranks the people of one or more tables, which are never copied."""

    def __init__(self, tables: Sequence[VectorTable]) -> None:
        self._tables = tables
        person_ids = np.concatenate([table.person_ids for table in tables])
        self._order = np.argsort(person_ids, kind="stable")
        grouped = person_ids[self._order]
        self._starts = _group_starts(grouped)
        self.person_ids = grouped[self._starts]
        self._mean_norms: Float32Array | None = None

    def rank(
        self, queries: Float32Array, *, rule: PersonRule, top: int
    ) -> list[list[tuple[int, float]]]:
        """(Q, D) unit vectors -> for each the `top` people, (person_id, similarity), best first."""
        if not len(self.person_ids):
            return [[] for _ in queries]
        ranked = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            block = queries[start : start + _QUERIES_AT_ONCE]
            for scores in self._by_person(block, rule):
                ranked.append(self._best(scores, top))
        return ranked

    def _by_person(self, queries: Float32Array, rule: PersonRule) -> Float32Array:
        """(Q, D) -> (Q, people) similarities."""
        scores = np.concatenate([queries @ table.vectors.T for table in self._tables], axis=1)
        grouped = scores[:, self._order]
        if rule is PersonRule.BEST:
            return np.maximum.reduceat(grouped, self._starts, axis=1)
        # q . (sum t / |sum t|) = (sum q . t) / |sum t|
        sums: Float32Array = np.add.reduceat(grouped, self._starts, axis=1)
        return sums / self._norms_of_sums()

    def _norms_of_sums(self) -> Float32Array:
        """(people,): the length of the sum of each person's templates."""
        if self._mean_norms is None:
            dimension = self._tables[0].vectors.shape[1]
            sums = np.zeros((len(self.person_ids), dimension), np.float32)
            for table in self._tables:
                places = np.searchsorted(self.person_ids, table.person_ids)
                order = np.argsort(places, kind="stable")
                for start in range(0, len(order), _BLOCK_ROWS):
                    rows = order[start : start + _BLOCK_ROWS]
                    first = _group_starts(places[rows])
                    sums[places[rows][first]] += np.add.reduceat(table.vectors[rows], first, axis=0)
            # Opposite templates of one person have no mean direction: similarity 0, not a crash.
            self._mean_norms = np.maximum(np.linalg.norm(sums, axis=1), np.float32(1e-6))
        return self._mean_norms

    def _best(self, scores: Float32Array, top: int) -> list[tuple[int, float]]:
        count = min(top, len(scores))
        places = np.argpartition(scores, -count)[-count:]
        places = places[np.argsort(-scores[places], kind="stable")]
        return [
            (int(self.person_ids[place]), float(np.clip(scores[place], -1.0, 1.0)))
            for place in places
        ]


def _group_starts(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
