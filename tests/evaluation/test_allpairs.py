"""All pairs against brute force, with embeddings whose products are exact in float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError, UsageError
from facekit.evaluation.metrics.all_pairs import AllPairs, score_all_pairs
from facekit.evaluation.metrics.operating_points import BEST_ACCURACY, operating_points
from facekit.types import Float32Array


def tied_photos(n: int, n_people: int, seed: int) -> tuple[Float32Array, list[str]]:
    """16 numbers of +-0.25 each: unit vectors with similarities in exact steps of 1/8."""
    random = np.random.default_rng(seed)
    centers = random.choice([-0.25, 0.25], (n_people, 16))
    people = np.concatenate([[0, 0, 1], random.integers(0, n_people, n - 3)])
    flips = np.where(random.random((n, 16)) < 0.15, -1, 1)
    return (centers[people] * flips).astype(np.float32), [f"person {p}" for p in people]


def brute_force(embeddings: Float32Array, people: list[str]) -> tuple[list[float], list[float]]:
    genuine: list[float] = []
    impostor: list[float] = []
    for i in range(len(people)):
        for j in range(i):
            kind = genuine if people[i] == people[j] else impostor
            kind.append(float(embeddings[i].astype(np.float64) @ embeddings[j].astype(np.float64)))
    return sorted(genuine), sorted(impostor)


@given(
    st.integers(4, 40), st.integers(2, 8), st.integers(0, 10**6), st.sampled_from([1 << 9, 1 << 20])
)
def test_against_brute_force(n: int, n_people: int, seed: int, memory_bytes: int) -> None:
    embeddings, people = tied_photos(n, n_people, seed)
    genuine, impostor = brute_force(embeddings, people)
    try:
        scores = score_all_pairs(embeddings, people, memory_bytes=memory_bytes)
    except UsageError:
        assert memory_bytes < 4 * len(genuine) + 16 + memory_bytes // 8
        return
    assert scores.genuine.tolist() == genuine
    assert scores.n_impostor == len(impostor)
    assert scores.impostor_top.tolist() == [s for s in impostor if s > scores.floor]
    for threshold in (*np.arange(-1, 1.2, 0.125), *np.arange(-1, 1.1, 0.1)):
        if threshold <= scores.floor:
            with pytest.raises(UsageError, match="more memory"):
                scores.counts_at(threshold)
            continue
        counts = scores.counts_at(threshold)
        assert counts.false_matches == sum(s >= threshold for s in impostor)
        assert counts.false_non_matches == sum(s < threshold for s in genuine)


@given(st.integers(10, 40), st.integers(0, 10**6), st.floats(0.01, 0.9))
def test_threshold_at_fmr(n: int, seed: int, target: float) -> None:
    embeddings, people = tied_photos(n, 5, seed)
    scores = score_all_pairs(embeddings, people)
    _, impostor = brute_force(embeddings, people)
    if target < 3 / len(impostor):
        with pytest.raises(UsageError, match="rule of three"):
            scores.threshold_at_fmr(target)
        return
    threshold = scores.threshold_at_fmr(target)
    assert scores.counts_at(threshold).fmr <= target
    one_less = np.nextafter(np.float32(threshold), np.float32(-2))
    assert sum(s >= one_less for s in impostor) / len(impostor) > target


@given(st.integers(4, 40), st.integers(0, 10**6))
def test_best_balanced_threshold(n: int, seed: int) -> None:
    embeddings, people = tied_photos(n, 4, seed)
    scores = score_all_pairs(embeddings, people)
    genuine, impostor = brute_force(embeddings, people)

    def cost(threshold: float) -> float:
        return sum(s >= threshold for s in impostor) / len(impostor) + sum(
            s < threshold for s in genuine
        ) / len(genuine)

    least = min(cost(t) for t in np.arange(-1, 1.1, 0.0625))
    assert cost(scores.best_balanced_threshold()) == pytest.approx(least, abs=1e-12)


def test_the_greatest_impostor_scores_survive_little_memory() -> None:
    random = np.random.default_rng(0)
    people = [str(i // 2) for i in range(400)]
    embeddings = random.normal(size=(400, 32)).astype(np.float32)
    everything = score_all_pairs(embeddings, people)
    little = score_all_pairs(embeddings, people, memory_bytes=20_000)
    assert everything.floor == -np.inf
    assert len(everything.impostor_top) == everything.n_impostor == 79_600
    assert 2_000 < len(little.impostor_top) < 5_000
    # Other blocks, other rounding in the matrix product: equal to 1e-6, not to the bit.
    greatest = everything.impostor_top[-len(little.impostor_top) :]
    np.testing.assert_allclose(little.impostor_top, greatest, atol=1e-6)
    np.testing.assert_allclose(little.genuine, everything.genuine, atol=1e-6)
    assert little.threshold_at_fmr(1e-3) == pytest.approx(
        everything.threshold_at_fmr(1e-3), abs=1e-6
    )
    with pytest.raises(UsageError, match="Allow more memory"):
        little.threshold_at_fmr(0.5)


def test_blocks_do_not_change_scores_by_more_than_rounding() -> None:
    random = np.random.default_rng(1)
    embeddings = random.normal(size=(300, 512)).astype(np.float32)
    people = [str(i % 7) for i in range(300)]
    scores = score_all_pairs(embeddings, people, memory_bytes=400_000)
    unit = embeddings.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    genuine, impostor = brute_force(unit.astype(np.float32), people)
    np.testing.assert_allclose(scores.genuine, genuine, atol=1e-6)
    np.testing.assert_allclose(scores.impostor_top, impostor, atol=1e-6)


@pytest.mark.parametrize("people", [["a"] * 4, ["a", "b", "c", "d"], []])
def test_two_people_and_one_of_them_twice(people: list[str]) -> None:
    with pytest.raises(InputError, match=f"{len(people)} photos of"):
        score_all_pairs(np.ones((len(people), 3), np.float32), people)


def test_as_many_people_as_embeddings() -> None:
    with pytest.raises(ValueError, match="4 embeddings need"):
        score_all_pairs(np.ones((4, 3), np.float32), ["a", "b"])


def hand_made(genuine: list[float], impostor: list[float]) -> AllPairs:
    kinds = (np.sort(np.array(kind, np.float32)) for kind in (genuine, impostor))
    top = [*kinds]
    return AllPairs(top[0], top[1], len(impostor), -np.inf, n_photos=0, n_people=0)


def test_operating_points_have_the_rates_and_intervals_counted_by_hand() -> None:
    scores = hand_made([0.25, 0.5, 0.75, 0.875], [i / 1024 for i in range(-600, 400)])
    points = operating_points(scores, protocol="all pairs", dataset="ours", fmr_targets=(1e-2,))
    strict, best = points
    assert strict.target == "fmr=1e-2"
    assert strict.fmr == 10 / 1000
    assert strict.threshold_similarity == pytest.approx(389 / 1024, abs=1e-7)
    assert strict.fnmr == 1 / 4
    assert (strict.n_genuine, strict.n_impostor) == (4, 1000)
    assert strict.fmr_ci95 == pytest.approx((0.00481, 0.01831), abs=1e-5)  # tables, 10 of 1000
    assert strict.fnmr_ci95 == pytest.approx((0.00631, 0.80588), abs=1e-5)  # 1 of 4
    assert (strict.protocol, strict.dataset) == ("all pairs", "ours")
    assert best.target == BEST_ACCURACY
    assert best.threshold_similarity == pytest.approx((0.25 + 255 / 1024) / 2, abs=1e-7)
    with pytest.raises(UsageError, match="rule of three"):
        operating_points(scores, protocol="p", dataset="d", fmr_targets=(1e-3,))


def test_one_photo_under_two_names() -> None:
    scores = hand_made([0.5, 0.9], [1.0] * 5 + [0.0] * 295)
    with pytest.raises(InputError, match="one photo under two names"):
        operating_points(scores, protocol="p", dataset="d", fmr_targets=(1e-2,))
