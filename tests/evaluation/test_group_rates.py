"""Rates of groups: by hand, by brute force, and whether a made-up difference is found."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from facekit.errors import InputError
from facekit.evaluation.metrics import groups as metrics
from facekit.evaluation.metrics.groups import GroupRates, group_rates
from facekit.template.match import unit_length
from facekit.types import Float32Array

PEOPLE_OF_EACH, PHOTOS = 20, 4
NAMES = [f"{group}{person}" for group in "abc" for person in range(20) for _ in range(PHOTOS)]
GROUPS = [name[0] for name in NAMES]


def made_up(seed: int, *, noise_of_c: float = 0.8, alike_in_c: float = 0.0) -> Float32Array:
    """Three groups; of c more noise raises FNMR, and what all share raises FMR."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(3, PEOPLE_OF_EACH, 1, 24))
    centers[2] = (centers[2] + alike_in_c * random.normal(size=24)) / np.hypot(1, alike_in_c)
    noise = np.array([0.8, 0.8, noise_of_c])[:, None, None, None]
    vectors = centers + noise * random.normal(size=(3, PEOPLE_OF_EACH, PHOTOS, 24))
    return unit_length(vectors.reshape(-1, 24).astype(np.float32))


def measured(vectors: Float32Array, threshold: float = 0.45, replicates: int = 200) -> GroupRates:
    return group_rates(
        vectors, NAMES, GROUPS, threshold_similarity=threshold, replicates=replicates
    )


def test_counts_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BLOCK_SCORES", 7 * len(NAMES))  # several blocks
    vectors = made_up(1)
    result = measured(vectors, threshold=0.42)
    errors: dict[tuple[str, ...], list[bool]] = {}
    for a, b in combinations(range(len(NAMES)), 2):
        match = bool(vectors[a] @ vectors[b] >= 0.42)
        if NAMES[a] == NAMES[b]:
            errors.setdefault((GROUPS[a],), []).append(not match)
        else:
            errors.setdefault((GROUPS[a], GROUPS[b]), []).append(match)
    found = {
        one.groups: (one.comparison_count, one.error_count) for one in (*result.fnmr, *result.fmr)
    }
    assert found == {key: (len(flags), sum(flags)) for key, flags in errors.items()}
    for one in (*result.fnmr, *result.fmr):
        assert one.rate is not None
        assert one.ci95 is not None
        assert one.ci95[0] <= one.rate <= one.ci95[1]
    assert result.people_count == {"a": 20, "b": 20, "c": 20}


@pytest.mark.parametrize("change", [{"noise_of_c": 1.2}, {"alike_in_c": 0.8}])
def test_a_made_up_difference_is_found_with_its_interval(change: dict[str, float]) -> None:
    result = measured(made_up(1, **change))
    fnmr = "noise_of_c" in change
    difference = result.fnmr_difference if fnmr else result.fmr_difference
    assert difference is not None
    assert (difference.worst, difference.is_found) == ("c", True)
    assert difference.worst_to_best is None or difference.worst_to_best > 2
    rates = {one.groups[0]: one for one in result.fnmr if fnmr} or {
        one.groups[0]: one for one in result.fmr if one.groups[0] == one.groups[1]
    }
    intervals = {name: one.ci95 for name, one in rates.items()}
    low, _ = intervals.pop("c") or (0.0, 1.0)
    assert len(intervals) == 2
    for interval in intervals.values():
        assert interval is not None
        assert interval[1] < low


def test_where_there_is_no_difference_none_is_found_in_95_of_100_seeds() -> None:
    found = [measured(made_up(seed), replicates=149) for seed in range(100)]
    for differences in (
        [one.fnmr_difference for one in found],
        [one.fmr_difference for one in found],
    ):
        assert sum(one is not None for one in differences) > 90  # there were errors to compare
        assert sum(one is not None and one.is_found for one in differences) <= 5


def test_ratios_by_hand() -> None:
    rates = [
        metrics.GroupRate((name,), 1000, errors, errors / 1000, (0, 1), True)
        for name, errors in (("a", 10), ("b", 40))
    ]
    counts = (np.full(2, 1000.0), np.full(2, 25.0))
    difference = metrics._difference(rates, [counts] * 9)
    assert difference is not None
    assert difference.worst_to_best == pytest.approx(4)
    assert difference.worst_to_mean == pytest.approx(2)  # 40 over the root of 10 x 40
    assert difference.p == pytest.approx(0.1)  # none of nine, and itself


def test_cells_without_enough_comparisons_are_named() -> None:
    few = [row for row in range(len(NAMES)) if GROUPS[row] != "c" or NAMES[row] == "c0"]
    result = group_rates(
        made_up(1)[few],
        [NAMES[row] for row in few],
        [GROUPS[row] for row in few],
        threshold_similarity=0.45,
        replicates=50,
    )
    within = {one.groups: one for one in result.fmr}[("c", "c")]  # one person alone
    assert (within.comparison_count, within.rate, within.ci95) == (0, None, None)
    assert [one.groups for one in (*result.fnmr, *result.fmr) if not one.is_enough] == [
        ("c",),
        ("c", "c"),
    ]


def test_no_error_at_all_has_an_interval_all_the_same() -> None:
    result = measured(made_up(1), threshold=0.999, replicates=20)
    within = {one.groups: one for one in result.fmr}[("a", "a")]
    assert (within.error_count, within.comparison_count) == (0, 3040)  # of 20 people's 4 photos
    assert within.ci95 == pytest.approx((0, 1 - 0.025 ** (1 / 3040)))  # Clopper and Pearson
    (every, *_) = result.fnmr
    assert every.rate == 1
    assert every.ci95 == pytest.approx((0.025 ** (1 / 120), 1))


def test_what_cannot_be_compared_is_refused() -> None:
    vectors = made_up(1)
    with pytest.raises(InputError, match="Two groups"):
        group_rates(vectors, NAMES, ["a"] * len(NAMES), threshold_similarity=0.5)
    with pytest.raises(InputError, match="several: a0"):
        group_rates(vectors, NAMES, ["b", *GROUPS[1:]], threshold_similarity=0.5)
