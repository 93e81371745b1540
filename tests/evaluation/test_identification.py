"""Searches in a gallery: ranks, open-set rates and margins, by hand and by brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.enums import PersonRule
from facekit.errors import InputError
from facekit.evaluation.identification import Rules, measure_identification
from facekit.evaluation.metrics import identification
from facekit.evaluation.metrics.identification import (
    Searches,
    above,
    fit_margin,
    margin_rule,
    measured_margin,
    missed,
    search,
    threshold_at_fpir,
)
from facekit.gallery.open import open_gallery
from facekit.template.match import unit_length
from facekit.types import Float32Array
from tests.gallery.made_up import SPACE, template


def found(best: list[float], second: list[float], rank: list[int]) -> Searches:
    return Searches(
        np.array(best, np.float32),
        np.array(second, np.float32),
        np.array(rank, np.intp),
        np.arange(len(rank), dtype=np.intp),
    )


MATED = found([0.9, 0.8, 0.7, 0.6], [0.2, 0.7, 0.1, 0.5], [1, 1, 1, 3])
NON_MATED = found([0.75, 0.5, 0.4, 0.3], [0.1] * 4, [0] * 4)


def test_a_search_by_hand() -> None:
    axes = np.eye(3, dtype=np.float32)
    probes = np.array([[0.8, 0.6, 0], [0, 0.6, 0.8], [0.6, 0, 0.8]], np.float32)
    result = search(probes, np.array([7, 2, 9]), axes, np.array([2, 7, 2]))
    assert result.best == pytest.approx([0.8, 0.8, 0.8])  # 2, 2, 2 by the better template
    assert result.second == pytest.approx([0.6, 0.6, 0.0])
    assert result.rank.tolist() == [2, 1, 0]  # nobody is number 9


def test_who_is_as_similar_comes_before_the_right_person() -> None:
    one = np.array([[1, 0]], np.float32)
    twice = np.repeat(one, 2, axis=0)
    assert search(one, np.array([1]), twice, np.array([0, 1])).rank.tolist() == [2]


def test_a_gallery_of_one_person_has_no_second() -> None:
    one = np.array([[1, 0]], np.float32)
    assert search(one, np.array([0]), one, np.array([0])).margin.tolist() == [2]


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 4))
def test_blocks_and_ranks_equal_a_search_one_by_one(seed: int, people: int, photos: int) -> None:
    random = np.random.default_rng(seed)
    owner = random.permutation(np.repeat(np.arange(people), photos))
    templates = unit_length(random.normal(size=(len(owner), 5)).astype(np.float32))
    probes = unit_length(random.normal(size=(9, 5)).astype(np.float32))
    person = random.integers(0, people + 2, 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identification, "_BLOCK_SCORES", 2 * len(owner))
        result = search(probes, person, templates, owner)
    for row, (probe, number) in enumerate(zip(probes, person, strict=True)):
        score = {
            one: max(float(probe @ t) for t, o in zip(templates, owner, strict=True) if o == one)
            for one in range(people)
        }
        by_score = sorted(score, key=lambda one: -score[one])
        rank = by_score.index(number) + 1 if number in score else 0
        assert result.rank[row] == rank
        assert result.best[row] == pytest.approx(score[by_score[0]], abs=1e-6)


def test_what_is_missed_and_what_is_above_by_hand() -> None:
    # below the threshold, and the wrong person
    assert missed(MATED, 0.72).tolist() == [False, False, True, True]
    assert above(MATED, 0.7).best == pytest.approx([0.9, 0.8, 0.7])
    assert above(MATED, 0.7).rank.tolist() == [1, 1, 1]


def test_the_threshold_is_the_lowest_with_this_fpir() -> None:
    threshold = threshold_at_fpir(NON_MATED, 0.25)
    assert (NON_MATED.best >= threshold).mean() == 0.25
    assert 0.5 < threshold < 0.5001


def test_a_margin_by_hand() -> None:
    rule = measured_margin(MATED, 0.15, people_count=4)
    assert rule.right_lost == pytest.approx(1 / 3)  # 0.8 - 0.7
    assert rule.wrong_caught == 1.0  # 0.6 - 0.5
    assert (rule.right_count, rule.wrong_count, rule.people_count) == (3, 1, 4)
    assert measured_margin(found([0.9], [0.1], [1]), 0.5, people_count=2).wrong_caught is None
    with pytest.raises(ValueError, match="right answer"):
        measured_margin(found([0.9], [0.1], [2]), 0.5, people_count=2)


def test_the_margin_is_the_largest_within_its_cost() -> None:
    random = np.random.default_rng(1)
    margins = random.random(500)
    mated = found((margins / 2).tolist(), (-margins / 2).tolist(), [1] * 500)
    rule = margin_rule(mated, people_count=10, cost=0.02)
    assert rule is not None
    assert rule.right_lost == 0.02  # 10 of 500
    assert rule.least == pytest.approx(np.sort(margins)[10], abs=1e-6)


def test_too_few_answers_give_no_margin() -> None:
    assert (
        margin_rule(found([0.9] * 149, [0.1] * 149, [1] * 149), people_count=2, cost=0.02) is None
    )
    assert margin_rule(found([0.9] * 150, [0.1] * 150, [1] * 150), people_count=2, cost=0.02)


def made_up(seed: int, people: int = 60, photos: int = 6) -> tuple[Float32Array, list[str]]:
    random = np.random.default_rng(seed)
    centers = random.normal(size=(people, 1, 24))
    vectors = centers + 0.8 * random.normal(size=(people, photos, 24))
    names = [f"{number:02d}" for number in range(people) for _ in range(photos)]
    return unit_length(vectors.reshape(-1, 24).astype(np.float32)), names


def test_a_fitted_margin_holds_on_other_people() -> None:
    vectors, names = made_up(1)
    rule = fit_margin(vectors, names)
    assert rule is not None
    assert rule.people_count == 60
    assert rule.right_count + rule.wrong_count == 300
    assert rule.right_lost <= 0.02
    others, names = made_up(2)
    numbers = np.array([int(name) for name in names])
    first = np.arange(len(names)) % 6 == 0
    again = search(others[~first], numbers[~first], others[first], numbers[first])
    measured = measured_margin(again, rule.least, people_count=60)
    assert measured.right_lost < 0.06
    assert measured.wrong_caught is not None
    assert measured.wrong_caught > 3 * measured.right_lost


def test_one_person_has_no_margin() -> None:
    vectors, _ = made_up(1)
    assert fit_margin(vectors, ["Ada"] * len(vectors)) is None


class TestMeasuredIdentification:
    VECTORS, NAMES = made_up(3, people=12, photos=4)

    def test_everybody_has_the_first_photos_enrolled(self) -> None:
        result = measure_identification(self.VECTORS, self.NAMES, photos=2, draws=1)
        closed, (opened,) = result.closed_set, result.open_sets
        assert (closed.people_count, closed.probe_count) == (12, 24)
        assert (opened.people_count, opened.mated_count, opened.non_mated_count) == (6, 12, 24)

    def test_rank_1_is_that_of_a_real_gallery(self, tmp_path: Path) -> None:
        space = replace(SPACE, size=24)
        with open_gallery(str(tmp_path / "people.db"), create=True) as gallery:
            for row in range(0, len(self.NAMES), 4):
                gallery.add(
                    self.NAMES[row], [replace(template(row), vector=self.VECTORS[row])], space
                )
            probes = [row for row in range(len(self.NAMES)) if row % 4]
            ranked = gallery.rank(self.VECTORS[probes], space, rule=PersonRule.BEST, top=5)
        within = [
            [one.name for one in best].index(self.NAMES[row]) < 1
            for row, best in zip(probes, ranked, strict=True)
            if self.NAMES[row] in [one.name for one in best]
        ]
        closed = measure_identification(self.VECTORS, self.NAMES).closed_set
        assert closed.identified[0].rank == 1
        assert closed.identified[0].rate == pytest.approx(sum(within) / len(probes))
        assert closed.identified[3].rank == 5
        assert closed.identified[3].rate == pytest.approx(len(within) / len(probes))
        low, high = closed.identified[0].ci95
        assert low <= closed.identified[0].rate <= high

    def test_fnir_falls_as_fpir_rises_and_a_chosen_threshold_has_both(self) -> None:
        vectors, names = made_up(4)
        result = measure_identification(
            vectors,
            names,
            sizes=(20, 10),
            rules=Rules(lambda count: (0.5, 0.001 * count), min_margin=0.05),
        )
        assert [one.people_count for one in result.open_sets] == [10, 20]
        for opened in result.open_sets:
            rates = [one.fnir for one in opened.fnir]
            assert rates == sorted(rates, reverse=True)
            assert min(rates) >= 1 - opened.rank_1.rate
            finest = {10: 0.01, 20: 0.03}  # of 300 and of 240 unknown faces
            assert min(one.fpir for one in opened.fnir) == finest[opened.people_count]
            assert opened.chosen is not None
            assert opened.chosen.predicted_fpir == 0.001 * opened.people_count

        everything, at_chosen = result.closed_set.margins
        assert (everything.threshold_similarity, at_chosen.threshold_similarity) == (None, 0.5)
        assert everything.rule.right_count + everything.rule.wrong_count == 300
        assert at_chosen.rule.right_count < everything.rule.right_count
        assert everything.rule.least == 0.05

    def test_what_is_always_right_has_an_interval_of_its_people(self) -> None:
        closed = measure_identification(*made_up(1, people=12, photos=4)).closed_set
        (last,) = (one for one in closed.identified if one.rank == 10)
        assert last.rate == 1
        assert last.ci95 == pytest.approx((0.025 ** (1 / 12), 1))

    @pytest.mark.parametrize(
        "options", [{"photos": 4}, {"sizes": (13,)}, {"sizes": (12,)}, {"sizes": (1,)}]
    )
    def test_too_few_people_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="Four people"):
            measure_identification(self.VECTORS, self.NAMES, **options)
