"""From embeddings to a loss: what training adds to a net and its result leaves out.

A head holds the class weights.  `measure` is called in training, on the photos of one replica;
`scores` says how alike embeddings are to each class, for held-out photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from facekit.enums import TrainingLoss
from facekit.training import losses
from facekit.training.backend import keras, tf
from facekit.training.config import LossConfig, TrainConfig

Tensor: TypeAlias = Any


@dataclass(frozen=True, slots=True, eq=False)
class HeadOutput:
    """Of one replica's photos."""

    loss: Tensor
    """scalar, the mean over the photos"""
    accuracy: Tensor
    """scalar 0..1, the share whose own class scores highest, without any margin; NaN where there
    are no classes"""


class Head(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """What all heads have: their losses' settings and no say in what is frozen."""

    def __init__(self, classes: int, config: LossConfig) -> None:
        super().__init__(name="head", dtype="float32")
        self.classes = classes
        self.settings = config

    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        """x: (B, D) float32 embeddings, not of unit length; step: scalar, 0 for the first."""
        raise NotImplementedError

    def scores(self, x: Tensor) -> Tensor | None:
        """(B, classes), higher is more alike; None for a head that knows no classes."""
        raise NotImplementedError

    def _measured(self, logits: Tensor, plain: Tensor, labels: Tensor) -> HeadOutput:
        loss = losses.softmax_cross_entropy(logits, labels, smoothing=self.settings.label_smoothing)
        right = tf.argmax(plain, -1, output_type=labels.dtype) == labels
        return HeadOutput(tf.reduce_mean(loss), tf.reduce_mean(tf.cast(right, tf.float32)))


class SoftmaxHead(Head):
    """Logits W x + b."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(shape[-1], self.classes), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(self.classes,), initializer="zeros")

    def scores(self, x: Tensor) -> Tensor:
        return tf.matmul(x, tf.convert_to_tensor(self.kernel)) + tf.convert_to_tensor(self.bias)

    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        logits = self.scores(x)
        return self._measured(logits, logits, labels)


class CenterHead(SoftmaxHead):
    """Softmax, and lambda times half the squared distance to the class's center.

    Centers move by the paper's rule, over the photos of all replicas, not by the optimizer.
    """

    def build(self, shape: tuple[int, ...]) -> None:
        super().build(shape)
        self.centers = self.add_weight(
            name="centers",
            shape=(self.classes, shape[-1]),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",  # all move them alike
        )

    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        softmax = super().measure(x, labels, step)
        centers = tf.convert_to_tensor(self.centers)
        apart = tf.reduce_mean(losses.center_loss(x, labels, centers))
        sums, counts = losses.center_sums(tf.stop_gradient(x), labels, centers)
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync > 1:
            sums, counts = context.all_reduce("sum", [sums, counts])
        self.centers.assign(
            losses.moved_centers(centers, sums, counts, rate=self.settings.center_rate)
        )
        return HeadOutput(softmax.loss + self.settings.center_weight * apart, softmax.accuracy)


class CosineHead(Head):
    """Class weights of unit length and no bias; `scores` are cosines."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(shape[-1], self.classes), initializer="glorot_uniform"
        )

    def imprint(self, means: Tensor) -> None:
        """Class weights from each class's mean embedding: (classes, D), of any length but 0."""
        self.kernel.assign(tf.transpose(tf.nn.l2_normalize(means, -1)))

    def scores(self, x: Tensor) -> Tensor:
        kernel = tf.nn.l2_normalize(tf.convert_to_tensor(self.kernel), 0)
        return tf.matmul(tf.nn.l2_normalize(x, -1), kernel)


class ASoftmaxHead(CosineHead):
    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        settings = self.settings
        annealing = losses.annealed_lambda(
            step,
            start=settings.lambda_start,
            gamma=settings.lambda_gamma,
            least=settings.lambda_min,
        )
        cosine = self.scores(x)
        logits = losses.a_softmax_logits(
            x, cosine, labels, m=settings.angular_margin, annealing=annealing
        )
        return self._measured(logits, cosine, labels)


class ArcFaceHead(CosineHead):
    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        cosine = self.scores(x)
        logits = losses.arcface_logits(
            cosine, labels, margin=self.settings.arc_margin, scale=self.settings.arc_scale
        )
        return self._measured(logits, cosine, labels)


class TripletHead(Head):
    """No weights.  Triplets are made within each replica's photos."""

    def build(self, shape: tuple[int, ...]) -> None:
        pass

    def scores(self, x: Tensor) -> None:
        return None

    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        unit = tf.nn.l2_normalize(x, -1)
        loss = losses.triplet_semi_hard(unit, labels, margin=self.settings.triplet_margin)
        return HeadOutput(loss, tf.constant(float("nan")))


_HEADS: dict[TrainingLoss, type[Head]] = {
    TrainingLoss.SOFTMAX: SoftmaxHead,
    TrainingLoss.SOFTMAX_CENTER: CenterHead,
    TrainingLoss.TRIPLET: TripletHead,
    TrainingLoss.A_SOFTMAX: ASoftmaxHead,
    TrainingLoss.ARCFACE: ArcFaceHead,
}


def make_head(config: TrainConfig, *, embedding_size: int, classes: int) -> Head:
    """With fresh weights."""
    head = _HEADS[config.loss](classes, config.losses)
    head.build((None, embedding_size))
    head.built = True
    return head
