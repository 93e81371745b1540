"""The heads: layers that turn embeddings into a loss in training and are not part of the model.

A head holds the class weights.  `measure` computes the loss on the photos of one replica.  `scores`
computes one score per class, a logit or a cosine, for training and for held-out photos.
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
    """The loss and the accuracy on the photos of one replica."""

    loss: Tensor
    """Scalar: the mean loss over the photos."""
    accuracy: Tensor
    """Scalar 0..1: the share of photos whose true class has the highest score, without any margin.

    NaN if the head has no class weights.
    """


class Head(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """The base of all heads, with the number of classes and the settings of the losses."""

    def __init__(self, classes: int, config: LossConfig) -> None:
        super().__init__(name="head", dtype="float32")
        self.classes = classes
        self.settings = config

    def measure(self, x: Tensor, labels: Tensor, step: Tensor) -> HeadOutput:
        """Returns the loss and the accuracy of the embeddings `x` of one replica's photos.

        `x` is (B, D) float32 and need not have unit length.  `labels` are (B,) integers.  `step` is
        an integer scalar, 0 for the first step.  CenterHead also updates its centers.
        """
        raise NotImplementedError

    def scores(self, x: Tensor) -> Tensor | None:
        """Returns scores (B, classes) of embeddings (B, D) of any length, or None.

        Scores are higher for more similar classes: logits without limits, or cosines -1..1 (see the
        subclasses).  None means that the head has no class weights.
        """
        raise NotImplementedError

    def _measured(self, logits: Tensor, plain: Tensor, labels: Tensor) -> HeadOutput:
        loss = losses.softmax_cross_entropy(logits, labels, smoothing=self.settings.label_smoothing)
        right = tf.argmax(plain, -1, output_type=labels.dtype) == labels
        return HeadOutput(tf.reduce_mean(loss), tf.reduce_mean(tf.cast(right, tf.float32)))


class SoftmaxHead(Head):
    """A softmax head.  `scores` are the logits W x + b, which have no limits."""

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
    """A softmax head whose loss adds lambda / 2 times the squared distance to the class's center.

    `measure` moves the centers by the rule of Wen et al. 2016 (eq. 4), computed over the photos of
    all replicas.  The optimizer does not change the centers.
    """

    def build(self, shape: tuple[int, ...]) -> None:
        super().build(shape)
        self.centers = self.add_weight(
            name="centers",
            shape=(self.classes, shape[-1]),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",  # all compute the same update
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
            losses.updated_centers(centers, sums, counts, rate=self.settings.center_rate)
        )
        return HeadOutput(softmax.loss + self.settings.center_weight * apart, softmax.accuracy)


class CosineHead(Head):
    """Base of the heads with class weights of unit length and no bias.

    `scores` are cosines -1..1.
    """

    def build(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(shape[-1], self.classes), initializer="glorot_uniform"
        )

    def imprint(self, means: Tensor) -> None:
        """Sets the class weights to the directions of the classes' mean embeddings.

        `means` are (classes, D) float32 of any length except 0.
        """
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
    """A head without weights.  Triplets are formed among the photos of each replica."""

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
    """Returns the head of the configured loss, with initial weights."""
    head = _HEADS[config.loss](classes, config.losses)
    head.build((None, embedding_size))
    head.built = True
    return head
