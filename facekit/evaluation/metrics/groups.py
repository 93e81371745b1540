"""Error rates of groups of people at one common threshold, and whether the groups differ.

ISO/IEC 19795-10 asks for the false match rate (FMR) and false non-match rate (FNMR) of each group
at the same threshold, with the numbers of comparisons, and for ratios of the worst rate to the
others'.  NIST's FRTE reports the worst rate over the geometric mean and over the best rate.

Comparisons that share a person are not independent.  Intervals are therefore percentiles of
replicates that draw people, and the test of a difference permutes the people's groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.template.calibration import RULE_OF_THREE
from facekit.types import Float32Array

Counts: TypeAlias = NDArray[np.float64]
_BLOCK_SCORES = 2**24  # float32 similarities that are in memory at once: 64 MiB
_SIGNIFICANT = 0.01
REPLICATES = 500


@dataclass(frozen=True, slots=True)
class GroupRate:
    """An error rate of a group (FNMR), or of the people of two groups (FMR)."""

    groups: tuple[str, ...]
    """One name for FNMR; two for FMR, which are equal for pairs within a group."""
    comparison_count: int
    error_count: int
    rate: float | None
    """0..1; None if there was no comparison."""
    ci95: tuple[float, float] | None
    """By drawing people; None if there was no comparison.

    Without any error, or with errors alone, it is the exact binomial interval, which takes
    comparisons as independent and is therefore too narrow."""
    is_enough: bool
    """Whether there were so many comparisons that 3 errors are expected at the rate of all groups
    together (rule of three); with fewer, no error says nothing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the groups' rates are apart; ratios are None if a rate that they need is 0."""

    worst: str
    """The group with the highest rate."""
    worst_to_mean: float | None
    """The highest rate over the geometric mean of all groups' rates."""
    worst_to_best: float | None
    """The highest rate over the lowest."""
    p: float
    """Share of permutations of the people's groups with as high a worst rate over the mean.

    Among groups without a difference it is at most q in a share q of all evaluations, however many
    groups there are."""

    @property
    def is_found(self) -> bool:
        """True if one evaluation of a hundred or fewer would say so without a difference."""
        return self.p <= _SIGNIFICANT


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The rates of all groups at one threshold.  They do not prove that a system is fair."""

    threshold_similarity: float
    people_count: dict[str, int]
    fnmr: tuple[GroupRate, ...]
    """One for each group, by name."""
    fmr: tuple[GroupRate, ...]
    """One for each group and each pair of groups, by names."""
    fnmr_difference: Difference | None
    """None if fewer than two groups have enough genuine comparisons."""
    fmr_difference: Difference | None
    """Of the pairs within a group; None if fewer than two groups have enough of them."""


def group_rates(
    vectors: Float32Array,
    people: Sequence[str],
    groups: Sequence[str],
    *,
    threshold_similarity: float,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> GroupRates:
    """Compares every pair of photos and counts the errors of each group and pair of groups.

    `vectors`: (N, D) float32 of unit length, centered if the model's card has a mean; `people` and
    `groups`: (N,) names.  `replicates`: number of draws for an interval, and of permutations.
    Raises InputError if a person is in two groups, or there are fewer than two groups.
    """
    names, number = np.unique(people, return_inverse=True)
    labels, label = np.unique(groups, return_inverse=True)
    group = np.empty(len(names), np.intp)
    group[number] = label
    if mixed := sorted({str(names[one]) for one in number[group[number] != label]}):
        raise InputError(f"A person belongs to one group. In several: {', '.join(mixed[:5])}")
    if len(labels) < 2:
        raise InputError(f"Two groups are needed. Received: {', '.join(map(str, labels))}")
    trials, matches = _counts(vectors, number, threshold_similarity)
    genuine = np.diag(trials).copy()
    missed = genuine - np.diag(matches)
    np.fill_diagonal(trials, 0)
    np.fill_diagonal(matches, 0)
    random = np.random.default_rng(seed)
    size = len(labels)

    def pooled(group: NDArray[np.intp], weight: Counts) -> tuple[Counts, Counts, Counts, Counts]:
        """Returns the sums over each group (G,), then over each pair of groups (G, G)."""
        member = np.zeros((len(names), size))
        member[np.arange(len(names)), group] = weight
        return (
            member.T @ genuine,
            member.T @ missed,
            member.T @ trials @ member,
            member.T @ matches @ member,
        )

    ones = np.ones(len(names))
    n_genuine, n_missed, n_trials, n_matches = pooled(group, ones)
    drawn = [
        pooled(group, random.multinomial(len(names), ones / len(names)).astype(np.float64))
        for _ in range(replicates)
    ]
    shuffled = [pooled(random.permutation(group), ones) for _ in range(replicates)]

    def rate(at: tuple[int, ...], n: Counts, errors: Counts, which: int) -> GroupRate:
        # Within a group each pair was counted from both of its people.
        halved = 2 if len(at) == 2 and at[0] == at[1] else 1
        count, wrong = round(n[at] / halved), round(errors[at] / halved)
        kept = [one[which + 1][at] / one[which][at] for one in drawn if one[which][at]]
        low, high = np.percentile(kept, [2.5, 97.5]) if kept else (0.0, 1.0)
        if count and wrong in (0, count):  # every draw of people has the same rate
            low, high = binomial_ci95(wrong, count)
        return GroupRate(
            tuple(str(labels[one]) for one in at),
            comparison_count=count,
            error_count=wrong,
            rate=wrong / count if count else None,
            ci95=(float(low), float(high)) if count else None,
            is_enough=bool(count and count * errors.sum() >= RULE_OF_THREE * n.sum()),
        )

    fnmr = [rate((one,), n_genuine, n_missed, 0) for one in range(size)]
    fmr = [rate((a, b), n_trials, n_matches, 2) for a in range(size) for b in range(a, size)]
    within = [one for one in fmr if one.groups[0] == one.groups[1]]
    return GroupRates(
        threshold_similarity,
        {str(name): int((group == one).sum()) for one, name in enumerate(labels)},
        tuple(fnmr),
        tuple(fmr),
        _difference(fnmr, [(one[0], one[1]) for one in shuffled]),
        _difference(within, [(np.diag(one[2]), np.diag(one[3])) for one in shuffled]),
    )


def _counts(
    vectors: Float32Array, number: NDArray[np.intp], threshold: float
) -> tuple[Counts, Counts]:
    """Returns (P, P) numbers of comparisons and of matches between the photos of two people.

    On the diagonal each pair of one person's photos counts once, elsewhere each pair in both
    places.
    """
    order = np.argsort(number, kind="stable")
    photos = np.bincount(number)
    starts = np.cumsum(photos) - photos
    sorted_vectors, sorted_number = vectors[order], number[order]
    matches = np.zeros((len(photos), len(photos)))
    step = max(1, _BLOCK_SCORES // len(vectors))
    for start in range(0, len(vectors), step):
        rows = slice(start, start + step)
        hits = (sorted_vectors[rows] @ sorted_vectors.T >= threshold).astype(np.float64)
        hits[np.arange(len(hits)), np.arange(start, start + len(hits))] = 0  # with itself
        by_person = np.add.reduceat(hits, starts, axis=1)
        np.add.at(matches, sorted_number[rows], by_person)
    trials = np.outer(photos, photos).astype(np.float64)
    np.fill_diagonal(trials, photos * (photos - 1) / 2)
    np.fill_diagonal(matches, np.diag(matches) / 2)
    return trials, matches


def _difference(
    rates: Sequence[GroupRate], shuffled: Sequence[tuple[Counts, Counts]]
) -> Difference | None:
    """Compares the groups that have enough comparisons."""
    enough = [index for index, one in enumerate(rates) if one.is_enough]
    found = np.array([rates[index].rate for index in enough], np.float64)
    if len(found) < 2 or not found.any():
        return None

    def statistic(values: Counts) -> float:
        return float(values.max() / values.mean()) if values.any() else 0.0

    reached = sum(
        statistic(errors[enough] / np.maximum(n[enough], 1)) >= statistic(found)
        for n, errors in shuffled
    )
    return Difference(
        worst=rates[enough[int(found.argmax())]].groups[0],
        worst_to_mean=float(found.max() / np.exp(np.log(found).mean())) if found.all() else None,
        worst_to_best=float(found.max() / found.min()) if found.all() else None,
        p=(1 + reached) / (1 + len(shuffled)),
    )
