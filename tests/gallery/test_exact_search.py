"""Exact search against numpy written out, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.enums import PersonRule
from facekit.gallery.search import exact as search
from facekit.gallery.search.codes import encoded
from facekit.gallery.search.exact import ExactSearch, VectorTable
from facekit.template.match import unit_length
from facekit.types import Float32Array


def table(person_ids: list[int], vectors: Float32Array) -> VectorTable:
    ids = np.arange(1, len(person_ids) + 1, dtype=np.int64)
    return VectorTable(ids, np.array(person_ids, np.int64), vectors)


def test_people_in_a_plane_are_ranked_as_by_hand() -> None:
    """In the plane: person 7 looks east and north, person 3 west; the query looks east."""
    vectors = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    east = np.array([[1, 0]], np.float32)
    found = ExactSearch([table([7, 3, 7], vectors)])
    assert found.rank(east, rule=PersonRule.BEST, top=9) == [[(7, 1.0), (3, -1.0)]]
    ((_, mean), _) = found.rank(east, rule=PersonRule.MEAN, top=2)[0]
    assert mean == pytest.approx(np.sqrt(0.5), abs=1e-6)  # 45 degrees


def test_opposite_templates_of_one_person_have_no_mean() -> None:
    vectors = np.array([[1, 0], [-1, 0]], np.float32)
    east = np.array([[1, 0]], np.float32)
    assert ExactSearch([table([1, 1], vectors)]).rank(east, rule=PersonRule.MEAN, top=1) == [
        [(1, 0.0)]
    ]


def test_nobody_is_enrolled() -> None:
    empty = table([], np.zeros((0, 4), np.float32))
    queries = np.eye(4, dtype=np.float32)[:2]
    assert ExactSearch([empty]).rank(queries, rule=PersonRule.BEST, top=3) == [[], []]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.lists(st.integers(1, 12), min_size=1, max_size=40),
    cut=st.integers(0, 40),
    queries=st.integers(0, 5),
    top=st.integers(1, 15),
    rule=st.sampled_from(PersonRule),
)
def test_it_equals_a_loop_over_people(
    seed: int, people: list[int], cut: int, queries: int, top: int, rule: PersonRule
) -> None:
    """However the templates are ordered and divided into tables, and whatever the blocks."""
    rng = np.random.default_rng(seed)
    vectors = unit_length(rng.standard_normal((len(people), 8)).astype(np.float32))
    asked = unit_length(rng.standard_normal((queries, 8)).astype(np.float32))
    tables = [table(people[:cut], vectors[:cut]), table(people[cut:], vectors[cut:])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_BLOCK_ROWS", 7)
        patch.setattr(search, "_QUERIES_AT_ONCE", 2)
        ranked = ExactSearch(tables).rank(asked, rule=rule, top=top)
    for query, got in zip(asked, ranked, strict=True):
        scores = {}
        for person in set(people):
            own = vectors[np.array(people) == person]
            mean = own.sum(axis=0) / max(float(np.linalg.norm(own.sum(axis=0))), 1e-6)
            scores[person] = float((own @ query).max() if rule is PersonRule.BEST else mean @ query)
        assert len(got) == min(top, len(scores))
        assert [value for _, value in got] == pytest.approx(
            sorted(scores.values(), reverse=True)[:top], abs=1e-5
        )
        for person, value in got:
            assert value == pytest.approx(scores[person], abs=1e-5)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 300),
    people=st.integers(1, 60),
    mixed=st.booleans(),
    alike=st.sampled_from([0.0, 0.9, 0.999]),
    top=st.integers(1, 8),
    rule=st.sampled_from(PersonRule),
)
def test_search_by_codes_equals_search_by_float32(
    seed: int, count: int, people: int, mixed: bool, alike: float, top: int, rule: PersonRule
) -> None:
    """Also where all vectors are nearly one, so that codes alone would order them wrongly."""
    pytest.importorskip("numkong", reason="pip install '.[ann]'")
    rng = np.random.default_rng(seed)
    common = unit_length(rng.standard_normal((1, 48)).astype(np.float32))
    noise = unit_length(rng.standard_normal((count + 3, 48)).astype(np.float32))
    vectors = unit_length(np.float32(alike) * common + np.float32(1 - alike) * noise)
    own = rng.integers(0, people, count)
    own = own if mixed else np.sort(own)
    plain = table(own.tolist(), vectors[:count])
    coded = replace(plain, codes=encoded(plain.vectors))
    late = table([people + 1, 0], vectors[count : count + 2])
    asked = vectors[-1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_MAX_RECHECKED_SHARE", 1.0)
        got = ExactSearch([coded, late]).rank(asked, rule=rule, top=top)
    wanted = ExactSearch([plain, late]).rank(asked, rule=rule, top=top)
    assert [value for _, value in got[0]] == pytest.approx(
        [value for _, value in wanted[0]], abs=3e-7
    )
    of_all = dict(ExactSearch([plain, late]).rank(asked, rule=rule, top=count + 2)[0])
    for person, value in got[0]:
        assert value == pytest.approx(of_all[person], abs=3e-7)
