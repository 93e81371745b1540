"""int8 codes: what they stand for, and that their error is never larger than stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facekit.gallery.search.codes import coded_scores, encoded, kernels
from facekit.template.match import unit_length


def test_codes_scale_and_error_are_as_computed_by_hand() -> None:
    """0.6 and -0.8: the scale is 0.8 / 127, 0.6 is 95.25 of it, and 0.25 of it is left."""
    coded = encoded(np.array([[0.6, -0.8], [0.0, 0.0]], np.float32))
    assert coded.codes.tolist() == [[95, -127], [0, 0]]
    assert coded.scales == pytest.approx([0.8 / 127, 1.0])
    assert coded.error == pytest.approx(0.25 * 0.8 / 127, rel=1e-4)


def test_no_vectors_have_no_codes_and_no_error() -> None:
    coded = encoded(np.zeros((0, 4), np.float32))
    assert coded.codes.shape == (0, 4)
    assert coded.error == 0.0


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 2, 31, 32, 33, 128, 512]),
    power=st.integers(1, 9),
    rows=st.integers(1, 80),
)
def test_no_similarity_is_off_by_more_than_the_bound(
    seed: int, size: int, power: int, rows: int
) -> None:
    """Against float64; odd powers make vectors of few large numbers, the worst to code."""
    numkong = kernels()
    if numkong is None:
        pytest.skip("pip install '.[ann]'")
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((rows + 1, size)) ** power
    raw /= np.abs(raw).max(axis=1, keepdims=True)  # the square of 1e-24 is zero in float32
    vectors = unit_length(raw.astype(np.float32))
    scores, bound = coded_scores(numkong, vectors[0], encoded(vectors[1:]))
    exact = vectors[1:].astype(np.float64) @ vectors[0].astype(np.float64)
    assert np.abs(scores - exact).max() <= bound
    assert bound < 0.2


def test_integer_sums_do_not_saturate() -> None:
    numkong = kernels()
    if numkong is None:
        pytest.skip("pip install '.[ann]'")
    ones = np.full((2, 512), 512**-0.5, np.float32)
    scores, _ = coded_scores(numkong, ones[0], encoded(np.stack([ones[0], -ones[1]])))
    assert scores == pytest.approx([1.0, -1.0], abs=1e-6)
