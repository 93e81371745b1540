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
    above,
    measured_margin,
    missed,
    search,
    threshold_at_fpir,
)
from facekit.evaluation.metrics.intervals import binomial_ci95, bootstrap_ci95
from facekit.template.margin_rule import MarginRule
from facekit.types import Float32Array

Chosen: TypeAlias = tuple[float, float | None]
"""A threshold similarity, -1..1, and the FPIR that is predicted with it, 0..1."""
Interval: TypeAlias = tuple[float, float]

DEFAULT_RANKS = (1, 2, 3, 5, 10, 20, 50)
DEFAULT_FPIRS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
DRAWS = 6


@dataclass(frozen=True, slots=True)
class IdentificationOptions:
    """Whom to enroll; see `measure_identification`."""

    photos: int = 1
    sizes: tuple[int, ...] = ()
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What `identify` uses with the model, as far as the model's card says it."""

    choose: Callable[[int], Chosen] | None = None
    """Returns the threshold for a number of comparisons a search."""
    min_margin: float | None = None
    """The least difference of cosine similarities at which the first person is named, 0..2."""


@dataclass(frozen=True, slots=True)
class RankRate:
    """A point of the CMC curve: the share of mated searches with the right person within a rank."""

    rank: int
    rate: float
    ci95: Interval
    """95 % interval by resampling people, as all of this module."""


@dataclass(frozen=True, slots=True)
class FnirPoint:
    """A point of the DET curve: FNIR at the lowest threshold with at most this FPIR."""

    fpir: float
    fnir: float
    ci95: Interval


@dataclass(frozen=True, slots=True)
class MarginAt:
    """What the card's margin catches and costs among the answers at or above a threshold."""

    threshold_similarity: float | None
    """None for all answers, whatever their similarity."""
    rule: MarginRule


@dataclass(frozen=True, slots=True)
class ClosedSet:
    """Searches for people who are all enrolled."""

    people_count: int
    probe_count: int
    identified: tuple[RankRate, ...]
    margins: tuple[MarginAt, ...]
    """Without a threshold, and at the one that is chosen for the gallery's size; () without a
    margin."""


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The error rates at the threshold that is chosen for the gallery's size, without these photos.

    All are means over the draws.
    """

    threshold_similarity: float
    predicted_fpir: float | None
    """The largest FPIR that is expected, 0..1; None if nothing was measured for it."""
    fpir: float
    fpir_ci95: Interval
    fnir: float
    fnir_ci95: Interval


@dataclass(frozen=True, slots=True)
class OpenSet:
    """FNIR at several FPIRs in galleries of one size.

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
    rank_1: RankRate
    """Of the mated searches, at any threshold."""
    fnir: tuple[FnirPoint, ...]
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
    rules: Rules = Rules(),
    fpirs: Sequence[float] = DEFAULT_FPIRS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Identification:
    """Measures identification with `photos` enrolled photos a person.

    `vectors`: (N, D) float32 of unit length, centered if the model's card has a mean; `people`:
    (N,) names.  `sizes`: numbers of people in the open-set galleries; none means one gallery of
    half of all who have more than `photos` photos.  `draws`: how often the enrolled people are
    drawn, at random by `seed`.  An FPIR that is too low for the number of unknown faces of a draw
    (rule of three) is left out.
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
            RankRate(rank, *_rate(mated.rank <= rank, mated.person))
            for rank in DEFAULT_RANKS
            if rank < len(several)
        ),
        _margins(mated, rules, len(several), photos),
    )
    random = np.random.default_rng(seed)
    open_sets = []
    for size in sizes:
        drawn = [asked(random.permutation(several)[:size]) for _ in range(draws)]
        chosen = rules.choose and rules.choose(size * photos)
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
        at_chosen = ChosenThreshold(
            similarity,
            predicted,
            *_rate(found, stranger),
            *_rate(misses(lambda _: similarity), person),
        )
    return OpenSet(
        people_count=size,
        draw_count=len(drawn),
        mated_count=len(person),
        non_mated_count=len(stranger),
        rank_1=RankRate(1, *_rate(np.concatenate([mated.right for mated, _ in drawn]), person)),
        fnir=tuple(
            FnirPoint(
                fpir,
                *_rate(misses(lambda strange: threshold_at_fpir(strange, fpir)), person),  # noqa: B023  # called at once
            )
            for fpir in fpirs
            if is_measurable(fpir, fewest)
        ),
        chosen=at_chosen,
    )


def _margins(mated: Searches, rules: Rules, people_count: int, photos: int) -> tuple[MarginAt, ...]:
    if rules.min_margin is None:
        return ()
    chosen = rules.choose and rules.choose(people_count * photos)[0]
    return tuple(
        MarginAt(threshold, measured_margin(answers, rules.min_margin, people_count=people_count))
        for threshold in ((None,) if chosen is None else (None, chosen))
        if (answers := mated if threshold is None else above(mated, threshold)).right.any()
    )


def _rate(flags: Flags, person: NDArray[np.intp]) -> tuple[float, Interval]:
    """Returns the share of the flags, and its interval.

    If all flags are equal, so are all samples of people; the interval is then the exact binomial
    one of as many trials as there are people.
    """
    share = float(flags.mean())
    if share in (0.0, 1.0):
        n_people = len(np.unique(person))
        return share, binomial_ci95(round(share * n_people), n_people)
    return share, bootstrap_ci95(flags, person, person)
