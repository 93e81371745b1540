"""The losses, each as its paper defines it.

Embeddings x are (B, D), logits and cosines (B, classes), all float32 tensors; labels y are (B,)
integers.  A function returns (B,), the loss of each photo, unless its docstring states another
result.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from facekit.training.backend import tf

Tensor: TypeAlias = Any

_EPSILON = 1e-7  # keeps square roots away from 0, where their derivative is infinite


def softmax_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Returns -log softmax(logits)[y]; Wen et al. 2016, eq. 1.

    With label smoothing (Szegedy et al. 2015, sec. 7) the target probability is smoothing / classes
    for every class, plus 1 - smoothing for y.
    """
    log_probability = tf.nn.log_softmax(logits)
    of_true_class = tf.gather(log_probability, labels, batch_dims=1)
    return -(1 - smoothing) * of_true_class - smoothing * tf.reduce_mean(log_probability, -1)


def center_loss(x: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Returns ||x - c_y||^2 / 2: Wen et al. 2016, eq. 2, without the weight lambda.

    `centers` c are (classes, D), the mean embedding of each class.
    """
    return tf.reduce_sum((x - tf.gather(centers, labels)) ** 2, -1) / 2


def center_sums(x: Tensor, labels: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the sum of c - x over each class, (classes, D), and photo counts, (classes,).

    `updated_centers` needs the sums over the total batch.  The results for the parts of a split
    batch may be added.
    """
    classes = tf.shape(centers)[0]
    differences = tf.gather(centers, labels) - x
    return (
        tf.math.unsorted_segment_sum(differences, labels, classes),
        tf.math.unsorted_segment_sum(tf.ones_like(differences[:, 0]), labels, classes),
    )


def updated_centers(centers: Tensor, sums: Tensor, counts: Tensor, *, rate: float) -> Tensor:
    """Returns c - alpha * sum / (1 + n), (classes, D); `rate` is alpha, 0..1.

    Wen et al. 2016, eq. 4 and step 6 of algorithm 1.
    """
    return centers - rate * sums / (1 + counts[:, None])


def triplet_semi_hard(x: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Returns the mean over all genuine pairs of max(0, d(a, p) - d(a, n) + alpha), a scalar.

    Schroff et al. 2015 (FaceNet), eq. 2: a is the anchor, p the positive, n the negative, d the
    squared distance of unit vectors (0..4) and `margin` is alpha, in the same unit.  n is
    semi-hard (sec. 3.2, eq. 4): the nearest negative that is farther from the anchor than p.  If
    no negative is farther away than p, n is the farthest negative, as in facenet and TensorFlow
    Addons, so that no pair is left out.  The result is 0 if no anchor of the batch has both a
    positive and a negative.
    """
    distance = squared_distances(x)
    same = labels[:, None] == labels[None]
    size = tf.shape(labels)[0]
    positive = same & ~tf.eye(size, dtype=tf.bool)
    negatives = ~same
    # (B, B, B): for each pair (a, p), which n are negatives farther away than p
    farther = negatives[:, None] & (distance[:, None] > distance[:, :, None])
    nearest = tf.reduce_min(tf.where(farther, distance[:, None], math.inf), -1)
    farthest = tf.reduce_max(tf.where(negatives, distance, -math.inf), -1, keepdims=True)
    negative = tf.where(tf.reduce_any(farther, -1), nearest, farthest)
    usable = positive & tf.reduce_any(negatives, -1, keepdims=True)
    # Masked before the subtraction: an infinity that is multiplied by 0 later has no gradient.
    gap = tf.where(usable, distance - tf.where(usable, negative, 0.0) + margin, 0.0)
    pairs = tf.reduce_sum(tf.cast(usable, tf.float32))
    return tf.math.divide_no_nan(tf.reduce_sum(tf.nn.relu(gap)), pairs)


def squared_distances(x: Tensor) -> Tensor:
    """Returns the squared distances (B, B), 0..4, between the rows of `x`, which are unit vectors.

    The squared distance of two unit vectors is 2 - 2 cos.
    """
    return tf.maximum(2 - 2 * tf.matmul(x, x, transpose_b=True), 0.0)


def angular_psi(cosine: Tensor, m: int) -> Tensor:
    """Returns psi(theta) = (-1)^k cos(m theta) - 2k, theta in [k pi / m, (k + 1) pi / m].

    Liu et al. 2017 (SphereFace), below eq. 6: psi falls from 1 to 1 - 2m while theta goes from 0
    to pi.  `cosine` is cos(theta), m is 1 to 4, and cos(m theta) is Chebyshev's polynomial T_m of
    the cosine.  The result has the shape of `cosine`.
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
    """Returns logits (B, classes): ||x|| cos(theta_j) for all classes except the true one.

    The logit of the true class y is ||x|| * (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda):
    SphereFace, eq. 7, with the annealing of the released code and of "large-margin softmax" (Liu
    et al. 2016, sec. 5.1).  `annealing` is lambda, a scalar >= 0 that falls during training.
    """
    length = tf.norm(x, axis=-1, keepdims=True)
    true_cosine = tf.gather(cosine, labels, batch_dims=1)[:, None]
    with_margin = (annealing * true_cosine + angular_psi(true_cosine, m)) / (1 + annealing)
    return length * _with_true_class(cosine, labels, with_margin)


def annealed_lambda(step: Tensor, *, start: float, gamma: float, least: float) -> Tensor:
    """Returns lambda at `step`, an integer scalar: max(least, start / (1 + gamma * step)).

    This is the rule of margin_inner_product_layer in SphereFace's Caffe code if the layer's
    parameter `power` is 1.
    """
    return tf.maximum(least, start / (1 + gamma * tf.cast(step, tf.float32)))


def arcface_logits(cosine: Tensor, labels: Tensor, *, margin: float, scale: float) -> Tensor:
    """Returns logits (B, classes): s cos(theta_j), but s cos(theta_y + m) for the true class y.

    Deng et al. 2019 (ArcFace), eq. 3.  `margin` is m in radians and `scale` is s.  Beyond
    theta_y = pi - m, where cos(theta_y + m) would rise again, cos(theta_y) - m sin(m) takes its
    place, as in the authors' code.
    """
    true_cosine = tf.clip_by_value(
        tf.gather(cosine, labels, batch_dims=1)[:, None], -1 + _EPSILON, 1 - _EPSILON
    )
    sine = tf.sqrt(1 - true_cosine**2)
    cos_with_margin = true_cosine * math.cos(margin) - sine * math.sin(margin)
    past_the_end = true_cosine <= math.cos(math.pi - margin)
    with_margin = tf.where(past_the_end, true_cosine - margin * math.sin(margin), cos_with_margin)
    return scale * _with_true_class(cosine, labels, with_margin)


def _with_true_class(rows: Tensor, labels: Tensor, true_values: Tensor) -> Tensor:
    """Returns rows (B, classes) with true_values (B, 1) in the column of each row's label."""
    hot = tf.one_hot(labels, tf.shape(rows)[-1], on_value=True, off_value=False, dtype=tf.bool)
    return tf.where(hot, true_values, rows)
