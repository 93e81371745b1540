"""Measures closed-set and open-set identification on labeled embeddings.

Closed set (ISO/IEC 19795-1): everybody with enough photos is enrolled with the first of them, and
the other photos are searched for.  Open set: some of these people are enrolled, and all photos of
everybody else are searched for too, as unknown faces.  Whoever is enrolled is drawn several times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.evaluation.metrics.error_rates import Flags, is_measurable
from facekit.evaluation.metrics.identification import (
    Searches,
    missed,
    search,
    threshold_at_fpir,
)
from facekit.evaluation.metrics.intervals import bootstrap_ci95
from facekit.types import Float32Array

Chosen: TypeAlias = tuple[float, float | None]
"""A threshold similarity, -1..1, and the FPIR that is predicted with it, 0..1."""

DEFAULT_RANKS = (1, 5, 20)
DEFAULT_FPIRS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
DRAWS = 6


@dataclass(frozen=True, slots=True)
class RateAt:
    """A rate at a rank or at a target, with its interval by resampling people."""

    at: float
    rate: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClosedSet:
    """The shares of searches whose right person is within a rank: points of the CMC curve."""

    people_count: int
    probe_count: int
    identified: tuple[RateAt, ...]


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The error rates at the threshold that is chosen for the gallery's size, without these photos.

    All are means over the draws.
    """

    threshold_similarity: float
    predicted_fpir: float | None
    """The largest FPIR that is expected, 0..1; None if nothing was measured for it."""
    fpir: float
    fpir_ci95: tuple[float, float]
    fnir: float
    fnir_ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class OpenSet:
    """FNIR at several FPIRs (points of the DET curve) in galleries of one size.

    In each draw the threshold is the lowest with the target FPIR on that draw's unknown faces; the
    rates are means over the draws.  The intervals take these thresholds as given.
    """

    people_count: int
    """Number of people who are enrolled."""
    draw_count: int
    mated_count: int
    """Number of searches for enrolled people, in all draws together."""
    non_mated_count: int
    """Number of searches for people who are not enrolled, in all draws together."""
    rank_1: RateAt
    """Share of the mated searches whose right person is the most similar one, at any threshold."""
    fnir: tuple[RateAt, ...]
    chosen: ChosenThreshold | None


@dataclass(frozen=True, slots=True)
class Identification:
    """Rates of identification with a number of photos enrolled of each person."""

    photo_count: int
    """Photos that are enrolled of each person; the most similar one counts."""
    closed_set: ClosedSet
    open_sets: tuple[OpenSet, ...]
    """By rising gallery size."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_identification(
    vectors: Float32Array,
    people: Sequence[str],
    *,
    photos: int = 1,
    sizes: Sequence[int] = (),
    choose: Callable[[int], Chosen] | None = None,
    fpirs: Sequence[float] = DEFAULT_FPIRS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Identification:
    """Measures identification with `photos` enrolled photos a person.

    `vectors`: (N, D) float32 of unit length, centered if the model's card has a mean; `people`:
    (N,) names.  `sizes`: numbers of people in the open-set galleries; none means one gallery of
    half of all who have more than `photos` photos.  `choose` returns the threshold for a number of
    comparisons a search, as `identify` chooses it.  An FPIR that is too low for the number of
    unknown faces of a draw (rule of three) is left out.
    Raises InputError if fewer than four people have more than `photos` photos, or a gallery is
    larger than their number or leaves nobody unknown.
    """
    names, numbers = np.unique(people, return_inverse=True)
    counts = np.bincount(numbers, minlength=len(names))
    several = np.flatnonzero(counts > photos)
    sizes = sorted(sizes) or [len(several) // 2]
    if len(several) < 4 or sizes[-1] > len(several) or sizes[-1] == len(names) or sizes[0] < 2:
        raise InputError(
            f"Four people with more than {photos} photos are needed, and galleries of two people "
            f"or more that leave somebody out. Received: {len(several)} such people of "
            f"{len(names)}, and galleries of {', '.join(map(str, sizes))}."
        )
    order = np.argsort(numbers, kind="stable")
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.empty(len(order), bool)
    first[order] = place < photos

    def asked(enrolled: NDArray[np.intp]) -> tuple[Searches, Searches]:
        """Searches for the enrolled people's other photos, and for everybody else's photos."""
        inside = np.isin(numbers, enrolled)
        gallery = inside & first
        mated, strange = (
            search(vectors[rows], numbers[rows], vectors[gallery], numbers[gallery])
            for rows in (inside & ~first, ~inside)
        )
        return mated, strange

    mated, _ = asked(several)
    closed = ClosedSet(
        len(several),
        len(mated.rank),
        tuple(
            _rate(rank, mated.rank <= rank, mated.person)
            for rank in DEFAULT_RANKS
            if rank < len(several)
        ),
    )
    random = np.random.default_rng(seed)
    open_sets = []
    for size in sizes:
        drawn = [asked(random.permutation(several)[:size]) for _ in range(draws)]
        chosen = choose and choose(size * photos)
        open_sets.append(_open_set(drawn, size, fpirs, chosen))
    return Identification(photos, closed, tuple(open_sets))


def _open_set(
    drawn: Sequence[tuple[Searches, Searches]],
    size: int,
    fpirs: Sequence[float],
    chosen: Chosen | None,
) -> OpenSet:
    person = np.concatenate([mated.person for mated, _ in drawn])
    stranger = np.concatenate([strange.person for _, strange in drawn])
    fewest = min(len(strange.rank) for _, strange in drawn)

    def misses(threshold: Callable[[Searches], float]) -> Flags:
        return np.concatenate([missed(mated, threshold(strange)) for mated, strange in drawn])

    at_chosen = None
    if chosen is not None:
        similarity, predicted = chosen
        found = np.concatenate([strange.best >= similarity for _, strange in drawn])
        fpir = _rate(0, found, stranger)
        fnir = _rate(0, misses(lambda _: similarity), person)
        at_chosen = ChosenThreshold(
            similarity, predicted, fpir.rate, fpir.ci95, fnir.rate, fnir.ci95
        )
    return OpenSet(
        people_count=size,
        draw_count=len(drawn),
        mated_count=len(person),
        non_mated_count=len(stranger),
        rank_1=_rate(1, np.concatenate([mated.right for mated, _ in drawn]), person),
        fnir=tuple(
            _rate(fpir, misses(lambda strange: threshold_at_fpir(strange, fpir)), person)  # noqa: B023  # called at once
            for fpir in fpirs
            if is_measurable(fpir, fewest)
        ),
        chosen=at_chosen,
    )


def _rate(at: float, flags: Flags, person: NDArray[np.intp]) -> RateAt:
    return RateAt(at, float(flags.mean()), bootstrap_ci95(flags, person, person))
