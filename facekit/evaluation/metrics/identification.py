"""Searches probes in a gallery, and computes the rates of closed-set and open-set identification.

The terms are those of ISO/IEC 19795-1: a mated search is one for a person who is in the gallery, a
non-mated search one for a person who is not.  FNIR is the share of mated searches that do not find
the right person first and above the threshold; FPIR is the share of non-mated searches that find
anybody above the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.metrics.error_rates import Flags, is_measurable, threshold_within
from facekit.template.margin_rule import MarginRule
from facekit.types import Float32Array

MARGIN_COST = 0.02
"""Largest share of right answers that a fitted margin makes ambiguous."""
_BLOCK_SCORES = 2**24  # float32 similarities that are in memory at once: 64 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """The results of Q searches in a gallery of people."""

    best: Float32Array
    """(Q,) similarity of the most similar person, -1..1."""
    second: Float32Array
    """(Q,) similarity of the second most similar person; -1 in a gallery of one person."""
    rank: NDArray[np.intp]
    """(Q,) rank of the right person, from 1; 0 for a non-mated search.

    A person who is exactly as similar as the right one comes first."""
    person: NDArray[np.intp]
    """(Q,) number of the probe's person, see `search`."""

    @property
    def right(self) -> Flags:
        """(Q,) whether the right person is the most similar one."""
        return np.asarray(self.rank == 1)

    @property
    def margin(self) -> Float32Array:
        """(Q,) `best` minus `second`, 0..2."""
        return self.best - self.second


def search(
    probes: Float32Array,
    person: NDArray[np.intp],
    templates: Float32Array,
    owner: NDArray[np.intp],
) -> Searches:
    """Compares each probe with each person's most similar template.

    `probes`: (Q, D), `templates`: (T, D), both float32 of unit length and centered if the model's
    card has a mean.  `person`: (Q,) and `owner`: (T,) are numbers of the same people; a probe whose
    number is no owner is a non-mated search.  T is 1 or more.
    """
    order = np.argsort(owner, kind="stable")
    people, starts = np.unique(owner[order], return_index=True)
    column = np.searchsorted(people, person)
    mated = people[np.minimum(column, len(people) - 1)] == person
    best, second = np.empty(len(probes), np.float32), np.full(len(probes), -1, np.float32)
    rank = np.zeros(len(probes), np.intp)
    step = max(1, _BLOCK_SCORES // len(templates))
    for start in range(0, len(probes), step):
        rows = slice(start, start + step)
        scores = np.maximum.reduceat(probes[rows] @ templates[order].T, starts, axis=1)
        best[rows] = scores.max(axis=1)
        if len(people) > 1:
            second[rows] = np.partition(scores, -2, axis=1)[:, -2]
        own = np.take_along_axis(scores, np.minimum(column[rows], len(people) - 1)[:, None], 1)
        rank[rows] = np.where(mated[rows], (scores >= own).sum(axis=1), 0)
    return Searches(best, second, rank, person)


def missed(mated: Searches, threshold_similarity: float) -> Flags:
    """(Q,) whether a mated search does not find the right person at this threshold."""
    return ~mated.right | (mated.best < threshold_similarity)


def above(searches: Searches, threshold_similarity: float) -> Searches:
    """Returns the searches whose most similar person is at or above a threshold, -1..1."""
    kept = searches.best >= threshold_similarity
    return Searches(
        searches.best[kept], searches.second[kept], searches.rank[kept], searches.person[kept]
    )


def threshold_at_fpir(non_mated: Searches, fpir: float) -> float:
    """Returns the lowest threshold similarity whose FPIR, as measured, is at most `fpir`, 0..1."""
    return threshold_within(non_mated.best, fpir)


def fit_margin(
    vectors: Float32Array, people: Sequence[str], *, cost: float = MARGIN_COST
) -> MarginRule | None:
    """Returns the largest margin at which at most `cost` of the right answers are ambiguous.

    `vectors`: (N, D) float32 of unit length; `people`: (N,) names.  Everybody is enrolled with the
    first photo, and all others are searched for.  Returns None if there are too few right answers
    to measure such a share (rule of three), and if `vectors` are of one person alone.
    """
    _, first, numbers = np.unique(people, return_index=True, return_inverse=True)
    rest = np.setdiff1d(np.arange(len(people)), first)
    if len(first) < 2 or not is_measurable(cost, len(rest)):
        return None
    found = search(vectors[rest], numbers[rest], vectors[first], numbers[first])
    return margin_rule(found, people_count=len(first), cost=cost)


def margin_rule(
    mated: Searches, *, people_count: int, cost: float = MARGIN_COST
) -> MarginRule | None:
    """Returns the rule of `fit_margin` for searches in a gallery of `people_count` people."""
    right = np.sort(mated.margin[mated.right].astype(np.float64))
    if not is_measurable(cost, len(right)):
        return None
    least = float(right[int(cost * len(right))])
    return measured_margin(mated, least, people_count=people_count)


def measured_margin(mated: Searches, least: float, *, people_count: int) -> MarginRule:
    """Returns what a least margin, 0..2, costs and catches in these mated searches.

    Raises ValueError if no answer is right.
    """
    right, ambiguous = mated.right, mated.margin < least
    right_count, wrong_count = int(right.sum()), int((~right).sum())
    if not right_count:
        raise ValueError("A right answer is needed.")
    return MarginRule(
        least=least,
        right_lost=float((ambiguous & right).sum() / right_count),
        wrong_caught=float((ambiguous & ~right).sum() / wrong_count) if wrong_count else None,
        right_count=right_count,
        wrong_count=wrong_count,
        people_count=people_count,
    )
