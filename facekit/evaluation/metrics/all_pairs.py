"""Scores every pair of many photos, for exact error rates at FMRs too low for a pair list.

4,992 photos make 12 million pairs.  Matrix products compute blocks of the similarity matrix.  All
genuine scores are stored, and as many of the highest impostor scores as fit into memory, because
the thresholds for low FMRs lie among the highest impostor scores.  No score is binned or sampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError, UsageError
from facekit.evaluation.metrics.error_rates import (
    ErrorCounts,
    allowed_false_matches,
    midway,
    require_measurable,
)
from facekit.template.match import unit_length
from facekit.types import Float32Array

DEFAULT_MEMORY_BYTES = 512 * 2**20
_BLOCK_SHARE = 8  # a block of the similarity matrix takes 1/8 of the memory


@dataclass(frozen=True, slots=True, eq=False)
class AllPairs:
    """The scores of all pairs of `n_photos` photos; see `score_all_pairs`."""

    genuine: Float32Array
    """(n_genuine,) ascending; all genuine scores."""
    impostor_top: Float32Array
    """(K,) ascending; every impostor score above `floor`."""
    n_impostor: int
    floor: float
    """The limit above which rates are known; -inf if all impostor scores are stored."""
    n_photos: int
    n_people: int

    @property
    def n_genuine(self) -> int:
        return len(self.genuine)

    def counts_at(self, threshold: float) -> ErrorCounts:
        """Returns exact counts.  Raises UsageError for a threshold that is not above `floor`."""
        if not threshold > self.floor:
            raise UsageError(
                f"Of {self.n_impostor} impostor scores those above {self.floor:.4f} were kept: "
                f"threshold {threshold:.4f} needs more memory than was allowed."
            )
        least = _least_float32(threshold)
        return ErrorCounts(
            threshold=threshold,
            n_genuine=self.n_genuine,
            n_impostor=self.n_impostor,
            false_matches=int(_n_at_least(self.impostor_top, least)),
            false_non_matches=int(np.searchsorted(self.genuine, least, side="left")),
        )

    def threshold_at_fmr(self, target: float) -> float:
        """Returns the smallest float32 threshold whose measured FMR is <= target.

        Raises UsageError if the target is too low for the number of pairs (rule of three), or so
        high that the threshold lies below the stored impostor scores.
        """
        require_measurable(target, self.n_impostor)
        position = len(self.impostor_top) - 1 - allowed_false_matches(target, self.n_impostor)
        if position < 0:
            raise UsageError(
                f"FMR {target:g} needs more of the {self.n_impostor} impostor scores than the "
                f"{len(self.impostor_top)} that the memory held. Allow more memory."
            )
        return float(np.nextafter(self.impostor_top[position], np.float32(np.inf)))

    def best_balanced_threshold(self) -> float:
        """Returns the threshold with the smallest FMR + FNMR.

        This threshold has the best accuracy if genuine and impostor pairs are equally frequent.
        FNMR changes only at genuine scores, so the lowest accepted score is a genuine one; of
        several such scores, the highest is chosen.  The threshold lies midway between that score
        and the next lower score.  Raises UsageError if a better threshold may lie among the scores
        that are not stored.
        """
        least_accepted = np.unique(self.genuine[self.genuine > self.floor])
        if not len(least_accepted):
            raise UsageError("No genuine score lies above the impostor scores kept. Allow more.")
        fmr = _n_at_least(self.impostor_top, least_accepted) / self.n_impostor
        fnmr = np.searchsorted(self.genuine, least_accepted, side="left") / self.n_genuine
        cost = fmr + fnmr
        best = len(cost) - 1 - int(np.argmin(cost[::-1]))
        if self.floor > -np.inf and cost[best] >= len(self.impostor_top) / self.n_impostor:
            raise UsageError("The best threshold may lie below the scores kept. Allow more memory.")
        accepted = least_accepted[best]
        below = [
            _greatest_below(self.genuine, accepted),
            _greatest_below(self.impostor_top, accepted),
        ]
        rejected = max(max(below), self.floor)
        return midway(float(accepted), rejected) if np.isfinite(rejected) else float(accepted)


def score_all_pairs(
    embeddings: Float32Array,
    people: Sequence[str],
    *,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> AllPairs:
    """Computes the cosine similarities of all N (N - 1) / 2 pairs.

    `embeddings`: (N, D) float32, which this function scales to unit length; they must be centered
    before if the model's card has a mean.  `people`: (N,) identities.  `memory_bytes` limits blocks
    and scores together, without the embeddings and a copy of them.  Raises InputError if there is
    no impostor pair (one person only) or no genuine pair (no person twice), and UsageError if
    `memory_bytes` is too small.
    """
    if len(people) != len(embeddings):
        raise ValueError(f"{len(embeddings)} embeddings need as many people, not {len(people)}")
    names, number_of, n_photos_of = np.unique(people, return_inverse=True, return_counts=True)
    n_photos = len(embeddings)
    n_genuine = int((n_photos_of * (n_photos_of - 1) // 2).sum())
    n_impostor = n_photos * (n_photos - 1) // 2 - n_genuine
    if not n_genuine or not n_impostor:
        raise InputError(
            "Photos of at least two people, one of them twice, are needed. "
            f"Received: {n_photos} photos of {len(names)} people."
        )
    # Photos are sorted by person: right of the diagonal, each row's genuine pairs come first.
    order = np.argsort(number_of, kind="stable")
    unit = unit_length(embeddings[order])
    end_of_person = np.cumsum(n_photos_of)[number_of[order]]

    genuine = np.empty(n_genuine, np.float32)
    n_kept = 0
    block_bytes = memory_bytes // _BLOCK_SHARE
    top = _Greatest(min(n_impostor, (memory_bytes - block_bytes - genuine.nbytes) // 4))
    for row, scores in _rows(unit, block_bytes):
        split = int(end_of_person[row]) - row - 1
        genuine[n_kept : n_kept + split] = scores[:split]
        n_kept += split
        top.add(scores[split:])
    genuine.sort()
    return AllPairs(genuine, top.sorted(), n_impostor, top.floor, n_photos, len(names))


class _Greatest:
    """Stores the highest scores; when `capacity` is reached, the lower half is dropped.

    Every added score above `floor` is stored.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 2:
            raise UsageError("Too little memory to score all pairs: allow more.")
        self._scores = np.empty(capacity, np.float32)
        self._n = 0
        self.floor = -np.inf

    def add(self, scores: Float32Array) -> None:
        while len(scores):
            if self.floor > -np.inf:
                scores = scores[scores > self.floor]
            free = len(self._scores) - self._n
            fitting, scores = scores[:free], scores[free:]
            self._scores[self._n : self._n + len(fitting)] = fitting
            self._n += len(fitting)
            if len(scores):
                self._halve()

    def sorted(self) -> Float32Array:
        self._scores = self._scores[: self._n]
        self._scores.sort()
        return self._scores

    def _halve(self) -> None:
        self._scores.sort()
        floor = self._scores[len(self._scores) // 2]
        stays = self._scores[np.searchsorted(self._scores, floor, side="right") :]
        self._n = len(stays)
        self._scores[: self._n] = stays
        self.floor = float(floor)


def _rows(unit: Float32Array, block_bytes: int) -> Iterator[tuple[int, Float32Array]]:
    """Yields each row i with its scores (N - 1 - i,), -1..1, against rows i + 1 to N - 1."""
    n = len(unit)
    n_rows = max(1, block_bytes // (4 * n))
    buffer = np.empty(n_rows * n, np.float32)
    for start in range(0, n, n_rows):
        rows, columns = unit[start : start + n_rows], unit[start:]
        block = buffer[: len(rows) * len(columns)].reshape(len(rows), len(columns))
        np.matmul(rows, columns.T, out=block)
        np.clip(block, -1.0, 1.0, out=block)
        for i in range(len(rows)):
            yield start + i, block[i, i + 1 :]


def _least_float32(threshold: float) -> np.float32:
    """Returns the smallest float32 >= threshold: searching for a float64 would copy all scores."""
    rounded: np.float32 = np.float32(threshold)
    if float(rounded) < threshold:
        rounded = np.nextafter(rounded, np.float32(np.inf))
    return rounded


def _n_at_least(ascending: Float32Array, threshold: np.float32 | Float32Array) -> NDArray[np.intp]:
    return np.asarray(len(ascending) - np.searchsorted(ascending, threshold, side="left"))


def _greatest_below(ascending: Float32Array, score: np.float32) -> float:
    position = int(np.searchsorted(ascending, score, side="left"))
    return float(ascending[position - 1]) if position else -np.inf
