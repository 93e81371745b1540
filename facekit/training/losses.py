"""The losses, each as its paper has it.

Embeddings x are (B, D), labels y (B,) integers, logits and cosines (B, classes), all float32
tensors.  A result is (B,), one number a photo, unless said otherwise.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from facekit.training.backend import tf

Tensor: TypeAlias = Any

_EPSILON = 1e-7  # keeps acos and square roots off points where their slope is infinite


def softmax_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits)[y]; Wen et al. 2016, eq. 1.

    With label smoothing (Szegedy et al. 2015, sec. 7) the wanted probability is 1 - smoothing
    for y plus smoothing / classes for every class.
    """
    log_probability = tf.nn.log_softmax(logits)
    own = tf.gather(log_probability, labels, batch_dims=1)
    return -(1 - smoothing) * own - smoothing * tf.reduce_mean(log_probability, -1)


def center_loss(x: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """||x - c_y||^2 / 2: Wen et al. 2016, eq. 2, before lambda.  centers: (classes, D)."""
    return tf.reduce_sum((x - tf.gather(centers, labels)) ** 2, -1) / 2


def center_sums(x: Tensor, labels: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Of each class: the sum of c - x over its photos, (classes, D), and their number, (classes,).

    Sums of parts of a batch add up to those of the whole, which `moved_centers` needs.
    """
    classes = tf.shape(centers)[0]
    away = tf.gather(centers, labels) - x
    return (
        tf.math.unsorted_segment_sum(away, labels, classes),
        tf.math.unsorted_segment_sum(tf.ones_like(away[:, 0]), labels, classes),
    )


def moved_centers(centers: Tensor, sums: Tensor, counts: Tensor, *, rate: float) -> Tensor:
    """c - alpha * sum / (1 + n): Wen et al. 2016, eq. 4 and step 6 of algorithm 1."""
    return centers - rate * sums / (1 + counts[:, None])


def triplet_semi_hard(x: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """The mean over all genuine pairs of max(0, d(a, p) - d(a, n) + alpha); a scalar.

    Schroff et al. 2015 (FaceNet), eq. 2, d the squared distance of unit vectors.  n is semi-hard
    (sec. 3.2, eq. 4): of the strangers further away than p the nearest.  Where none is further
    away, it is the furthest stranger of all, as in facenet and TensorFlow Addons, so that no
    pair is left out.  0 where no anchor has both a photo of its own and a stranger.
    """
    distance = squared_distances(x)
    same = labels[:, None] == labels[None]
    size = tf.shape(labels)[0]
    positive = same & ~tf.eye(size, dtype=tf.bool)
    stranger = ~same
    # For each pair (a, p), a row of candidates n: (B, B, B)
    further = stranger[:, None] & (distance[:, None] > distance[:, :, None])
    nearest = tf.reduce_min(tf.where(further, distance[:, None], math.inf), -1)
    furthest = tf.reduce_max(tf.where(stranger, distance, -math.inf), -1, keepdims=True)
    negative = tf.where(tf.reduce_any(further, -1), nearest, furthest)
    usable = positive & tf.reduce_any(stranger, -1, keepdims=True)
    # Masked before the subtraction: an infinity that is multiplied by 0 later has no gradient.
    gap = tf.where(usable, distance - tf.where(usable, negative, 0.0) + margin, 0.0)
    pairs = tf.reduce_sum(tf.cast(usable, tf.float32))
    return tf.math.divide_no_nan(tf.reduce_sum(tf.nn.relu(gap)), pairs)


def squared_distances(x: Tensor) -> Tensor:
    """(B, B) of the rows of (B, D), of unit length, to each other: 2 - 2 cos."""
    return tf.maximum(2 - 2 * tf.matmul(x, x, transpose_b=True), 0.0)


def angular_psi(cosine: Tensor, m: int) -> Tensor:
    """psi(theta) = (-1)^k cos(m theta) - 2k, theta in [k pi / m, (k + 1) pi / m].

    Liu et al. 2017 (SphereFace), below eq. 6: falls from 1 to 1 - 2m while theta goes from 0 to
    pi.  m = 1 to 4; cos(m theta) is a polynomial of the cosine (Chebyshev).
    """
    power = {
        1: lambda c: c,
        2: lambda c: 2 * c**2 - 1,
        3: lambda c: 4 * c**3 - 3 * c,
        4: lambda c: 8 * c**4 - 8 * c**2 + 1,
    }[m](cosine)
    k = tf.add_n(
        [tf.zeros_like(cosine)]
        + [tf.cast(cosine < math.cos(j * math.pi / m), cosine.dtype) for j in range(1, m)]
    )
    return (1 - 2 * tf.math.floormod(k, 2.0)) * power - 2 * k


def a_softmax_logits(
    x: Tensor, cosine: Tensor, labels: Tensor, *, m: int, annealing: Tensor
) -> Tensor:
    """||x|| cos(theta_j), and for y ||x|| (lambda cos(theta) + psi(theta)) / (1 + lambda).

    SphereFace, eq. 7, with the annealing of its released code and of "large-margin softmax" (Liu
    et al. 2016, sec. 5.1): lambda falls during training.
    """
    length = tf.norm(x, axis=-1, keepdims=True)
    own = tf.gather(cosine, labels, batch_dims=1)[:, None]
    with_margin = (annealing * own + angular_psi(own, m)) / (1 + annealing)
    return length * _replaced(cosine, labels, with_margin)


def annealed_lambda(step: Tensor, *, start: float, gamma: float, least: float) -> Tensor:
    """max(least, start / (1 + gamma step)): margin_inner_product_layer of SphereFace's Caffe,
    whose power is 1."""
    return tf.maximum(least, start / (1 + gamma * tf.cast(step, tf.float32)))


def arcface_logits(cosine: Tensor, labels: Tensor, *, margin: float, scale: float) -> Tensor:
    """s cos(theta_j), and for y s cos(theta + m): Deng et al. 2019 (ArcFace), eq. 3.

    Beyond theta = pi - m, where cos(theta + m) would rise again, it is cos(theta) - m sin(m), as
    in the authors' code.
    """
    own = tf.clip_by_value(
        tf.gather(cosine, labels, batch_dims=1)[:, None], -1 + _EPSILON, 1 - _EPSILON
    )
    sine = tf.sqrt(1 - own**2)
    moved = own * math.cos(margin) - sine * math.sin(margin)
    past_the_end = own <= math.cos(math.pi - margin)
    with_margin = tf.where(past_the_end, own - margin * math.sin(margin), moved)
    return scale * _replaced(cosine, labels, with_margin)


def _replaced(rows: Tensor, labels: Tensor, own: Tensor) -> Tensor:
    """rows (B, classes) with own (B, 1) at each row's label."""
    hot = tf.one_hot(labels, tf.shape(rows)[-1], on_value=True, off_value=False, dtype=tf.bool)
    return tf.where(hot, own, rows)
