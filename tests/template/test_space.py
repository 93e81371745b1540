"""One identity of a template: what differs is named, and all of it comes back from JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from facekit.enums import CropRule, Flip, ResizeFilter
from facekit.errors import ModelMismatchError
from facekit.system.fields import Fields
from facekit.template.match import centered, joined, recentered, unit_length
from facekit.template.space import TemplateSpace, mean_sha256_of, parse_space
from facekit.types import CropSpec, DetectorIdentity, Float32Array
from tests.template.spaces import CHANGES, MEAN, SPACE

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
SPACES = st.builds(
    TemplateSpace,
    model=TEXT,
    model_sha256=HASH,
    detector=st.none() | st.builds(DetectorIdentity, TEXT, st.lists(HASH, max_size=3).map(tuple)),
    crop=st.builds(
        CropSpec, st.sampled_from(CropRule), st.floats(0, 1e6), st.sampled_from(ResizeFilter)
    ),
    flip=st.sampled_from(Flip),
    mean_sha256=HASH | st.just(""),
    size=st.integers(1, 4096),
)


@given(SPACES)
def test_a_space_comes_back_from_json_unchanged(space: TemplateSpace) -> None:
    text = json.dumps(space.to_dict(), allow_nan=False)
    assert parse_space(Fields(json.loads(text), "space")) == space


def test_what_is_written_is_data() -> None:
    assert SPACE.to_dict() == {
        "model": "net:float32",
        "model_sha256": "cd" * 32,
        "detector": {"name": "mtcnn", "weights_sha256": ["ef" * 32]},
        "crop": {"rule": "margin", "margin_px": 32.0, "resize_filter": "area"},
        "flip": "none",
        "mean_sha256": None,
        "size": 16,
    }


@pytest.mark.parametrize("name", list(SPACE.to_dict()))
def test_a_member_that_is_missing_or_wrong_is_named(name: str) -> None:
    for change in ({}, {name: [1]}):
        raw: dict[str, Any] = {**SPACE.to_dict(), **change}
        if not change:
            del raw[name]
        with pytest.raises(ValueError, match=rf"space\.{name}"):
            parse_space(Fields(raw, "space"))


@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_every_field_is_compared_and_named(change: dict[str, Any], field: str) -> None:
    other = replace(SPACE, **change)
    for ours, theirs in ((SPACE, other), (other, SPACE)):
        with pytest.raises(
            ModelMismatchError, match=rf"x\.db holds .*with {field} .*in use is .*with {field} "
        ):
            ours.require_same(theirs, where="x.db")
        assert ours.differs_by_mean_alone(theirs) == (field == "embedding mean")


def test_one_file_under_two_names_is_one_space() -> None:
    SPACE.require_same(replace(SPACE, model="mine:float32"), where="x.db")


def test_the_message_shows_both_values_and_what_to_do() -> None:
    other = replace(SPACE, crop=replace(SPACE.crop, margin_px=16.0))
    with pytest.raises(ModelMismatchError) as caught:
        SPACE.require_same(other, where="x.db")
    assert str(caught.value) == (
        "x.db holds templates of net:float32 with crop rule 'margin, 32 px, area'; in use is "
        "net:float32 with crop rule 'margin, 16 px, area'. They cannot be compared: use that "
        "crop rule, or embed or enroll the photos again."
    )


def test_mean_and_another_field_are_no_difference_of_the_mean_alone() -> None:
    other = replace(SPACE, mean_sha256=mean_sha256_of(MEAN), flip=Flip.SUM)
    assert not SPACE.differs_by_mean_alone(other)


def test_recentering_by_hand() -> None:
    """(0.6, 0.8) about (0.6, 0) points up; about (0, 0.8) it points right."""
    up = centered(np.array([[0.6, 0.8]], np.float32), np.array([0.6, 0], np.float32))
    np.testing.assert_allclose(up, [[0, 1]], atol=1e-6)
    right = recentered(up, np.array([0.6, 0], np.float32), np.array([0, 0.8], np.float32))
    np.testing.assert_allclose(right, [[1, 0]], atol=1e-6)
    np.testing.assert_allclose(
        recentered(up, np.array([0.6, 0], np.float32), None), [[0.6, 0.8]], atol=1e-6
    )


_VALUES = st.floats(-1, 1, width=32)
_VECTORS = npst.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(8)), elements=_VALUES)
_MEANS = st.none() | npst.arrays(np.float32, 8, elements=st.floats(-0.25, 0.25, width=32))
"""no longer than 0.8; that of real faces has a length of 0.3"""


@given(_VECTORS, _MEANS, _MEANS)
def test_recentered_vectors_are_those_of_embedding_anew(
    vectors: Float32Array, old: Float32Array | None, new: Float32Array | None
) -> None:
    assume((np.linalg.norm(vectors, axis=1) > 1e-3).all())
    unit = unit_length(vectors)
    moved = recentered(centered(unit, old), old, new)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, centered(unit, new), atol=1e-6)
    np.testing.assert_allclose(recentered(moved, new, old), centered(unit, old), atol=2e-6)


@given(_VECTORS, npst.arrays(np.float32, 16, elements=st.floats(-0.1875, 0.1875, width=32)))
def test_templates_of_two_views_are_no_exception(vectors: Float32Array, mean: Float32Array) -> None:
    assume((np.linalg.norm(vectors, axis=1) > 1e-3).all())
    unit = unit_length(vectors)
    template = joined(np.stack([unit, unit[:, ::-1]], axis=1), Flip.CONCAT)
    np.testing.assert_allclose(
        recentered(centered(template, mean), mean, None), template, atol=1e-6
    )


def test_none_are_recentered_too() -> None:
    assert recentered(np.zeros((0, 16), np.float32), MEAN, None).shape == (0, 16)


def test_a_mean_that_is_none_of_unit_vectors_cannot_be_taken_back() -> None:
    with pytest.raises(ModelMismatchError, match="length 1 or more"):
        recentered(np.eye(2, dtype=np.float32), np.array([1.0, 0.0], np.float32), None)
