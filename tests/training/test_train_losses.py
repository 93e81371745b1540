"""Each loss against numbers worked by hand and against NumPy written from the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.tensorflow

losses = pytest.importorskip("facekit.training.losses")

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(12, 6)).astype(np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 1, 2, 3], np.int32)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def test_softmax_of_two_equal_logits_is_log_2() -> None:
    loss = losses.softmax_cross_entropy(np.zeros((1, 2), np.float32), np.array([1]))
    assert loss.numpy() == pytest.approx([math.log(2)])


def test_softmax_by_hand() -> None:
    """e^2 / (e^2 + 1 + 1) for label 0; smoothed by 0.3, each class has 0.1 of the weight."""
    logits = np.array([[2.0, 0.0, 0.0]], np.float32)
    whole = math.exp(2) + 2
    log_p = [2 - math.log(whole), -math.log(whole), -math.log(whole)]
    assert losses.softmax_cross_entropy(logits, np.array([0])).numpy() == pytest.approx([-log_p[0]])
    smoothed = -(0.8 * log_p[0] + 0.1 * log_p[1] + 0.1 * log_p[2])
    found = losses.softmax_cross_entropy(logits, np.array([0]), smoothing=0.3)
    assert found.numpy() == pytest.approx([smoothed])


def test_center_loss_by_hand() -> None:
    """(3, 4) is 5 away from the origin: 25 / 2."""
    centers = np.array([[0, 0], [9, 9]], np.float32)
    found = losses.center_loss(np.array([[3, 4]], np.float32), np.array([0]), centers)
    assert found.numpy() == pytest.approx([12.5])


def test_centers_move_as_the_paper_says() -> None:
    """Two photos of class 0 at 3 and 6, its center at 0: (-3 - 6) / (1 + 2) = -3; half of it."""
    centers = np.array([[0.0], [7.0]], np.float32)
    x = np.array([[3.0], [6.0]], np.float32)
    sums, counts = losses.center_sums(x, np.array([0, 0]), centers)
    assert sums.numpy().tolist() == [[-9.0], [0.0]]
    assert counts.numpy().tolist() == [2.0, 0.0]
    moved = losses.updated_centers(centers, sums, counts, rate=0.5)
    assert moved.numpy().tolist() == [[1.5], [7.0]]


def test_triplet_by_hand() -> None:
    """On the unit circle at 0, 90 (same person) and 180 degrees (a stranger): d = 2 - 2 cos.

    Anchor 0: p at 2, n at 4, which is further: 2 - 4 + 3 = 1.  Anchor 90: p at 2, n at 2, not
    further, so the furthest: 2 - 2 + 3 = 3.  The stranger has no pair.  Mean 2.
    """
    x = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    found = losses.triplet_semi_hard(x, np.array([5, 5, 9]), margin=3.0)
    assert float(found) == pytest.approx(2.0)


def test_triplet_agrees_with_loops() -> None:
    x, margin = unit(X), 0.2
    distance = ((x[:, None] - x[None]) ** 2).sum(-1)
    gaps = []
    for a in range(len(x)):
        for p in range(len(x)):
            if a == p or LABELS[a] != LABELS[p]:
                continue
            strangers = distance[a][LABELS[a] != LABELS]
            further = strangers[strangers > distance[a, p]]
            negative = further.min() if len(further) else strangers.max()
            gaps.append(max(0.0, distance[a, p] - negative + margin))
    found = losses.triplet_semi_hard(x, LABELS, margin=margin)
    assert float(found) == pytest.approx(np.mean(gaps), abs=1e-5)


def test_triplet_without_strangers_is_zero_and_has_a_gradient() -> None:
    import tensorflow as tf

    x = tf.constant(unit(X[:4]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = losses.triplet_semi_hard(x, np.zeros(4, np.int32), margin=0.2)
    assert float(loss) == 0.0
    assert np.isfinite(tape.gradient(loss, x)).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_psi_is_the_paper_s(m: int) -> None:
    theta = np.linspace(0.001, math.pi - 0.001, 400)
    k = np.floor(theta * m / math.pi)
    wanted = (-1) ** k * np.cos(m * theta) - 2 * k
    found = losses.angular_psi(np.cos(theta).astype(np.float32), m).numpy()
    assert found == pytest.approx(wanted, abs=1e-4)
    assert (np.diff(found) < 1e-4).all(), "falls"


def test_psi_by_hand() -> None:
    """m = 4: cos 60 is in the second quarter: -cos 240 - 2 = -1.5; at 180 degrees 1 - 2m = -7."""
    found = losses.angular_psi(np.array([1.0, 0.5, -1.0], np.float32), 4).numpy()
    assert found == pytest.approx([1.0, -1.5, -7.0])


def test_a_softmax_logits() -> None:
    """||x|| = 2; own cosine 0.5: (3 x 0.5 - 1.5) / (1 + 3) = 0; the other class is 2 cos."""
    x = np.array([[2.0, 0.0]], np.float32)
    cosine = np.array([[0.5, 0.25]], np.float32)
    found = losses.a_softmax_logits(x, cosine, np.array([0]), m=4, annealing=3.0)
    assert found.numpy() == pytest.approx(np.array([[0.0, 0.5]]), abs=1e-6)


def test_lambda_falls_to_its_least() -> None:
    found = [
        float(losses.annealed_lambda(step, start=1000.0, gamma=0.12, least=5.0))
        for step in (0, 100, 10**6)
    ]
    assert found == pytest.approx([1000.0, 1000 / 13, 5.0])


def test_arcface_adds_the_angle() -> None:
    cosine = np.cos(np.array([[0.3, 1.0], [2.0, 0.7]])).astype(np.float32)
    found = losses.arcface_logits(cosine, np.array([0, 1]), margin=0.5, scale=10.0).numpy()
    wanted = 10 * np.cos(np.array([[0.8, 1.0], [2.0, 1.2]]))
    assert found == pytest.approx(wanted, abs=1e-4)


def test_arcface_goes_on_falling_past_the_end() -> None:
    theta = np.linspace(0, math.pi, 200)
    found = losses.arcface_logits(
        np.cos(theta)[:, None].astype(np.float32), np.zeros(200, np.int32), margin=0.5, scale=1.0
    ).numpy()[:, 0]
    assert (np.diff(found) < 1e-4).all()
    assert found[-1] == pytest.approx(-1 - 0.5 * math.sin(0.5), abs=1e-4)


def test_margin_of_zero_is_plain_softmax() -> None:
    cosine = np.clip(RANDOM.normal(0, 0.4, (12, 4)), -0.99, 0.99).astype(np.float32)
    arc = losses.arcface_logits(cosine, LABELS, margin=0.0, scale=7.0).numpy()
    assert arc == pytest.approx(7 * cosine, abs=1e-4)
    a_softmax = losses.a_softmax_logits(X, cosine, LABELS, m=1, annealing=0.0).numpy()
    assert a_softmax == pytest.approx(np.linalg.norm(X, axis=1)[:, None] * cosine, abs=1e-4)
