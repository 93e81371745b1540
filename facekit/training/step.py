"""One step of training on every replica: forward, loss, gradients, update.

Batch norms compute their statistics over the photos of all replicas (`synchronized`), so that two
processes get the same result as one process with the same batch, apart from rounding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.training.backend import keras, tf
from facekit.training.config import ComputePrecision, OptimizerConfig, OptimizerName, TrainConfig
from facekit.training.dataset.batches import Batch
from facekit.training.devices import Replicas
from facekit.training.heads import Head, make_head
from facekit.types import Float32Array

_NUMBERED_PREFIX = re.compile(
    r"^(?:sgd|adam|rmsprop|adagrad|loss_scale_optimizer|seed_generator)(?:_\d+)?/"
)


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of one step over the photos of all replicas."""

    loss: float
    accuracy: float
    """Share of photos whose true class has the highest score, 0..1; NaN without class weights."""
    asked_to_stop: bool
    """Whether any process was asked to stop."""


class Trainer:
    """A net, its head and their optimizers, i.e. all variables that a checkpoint stores."""

    def __init__(
        self,
        build_net: Callable[[], keras.Model],
        config: TrainConfig,
        *,
        classes: int,
        replicas: Replicas,
        fine_tunes: bool,
    ) -> None:
        """`build_net` returns a net for any batch size.  It is called in the strategy's scope and
        under the configured precision.  `classes` is the number of people.  If `fine_tunes` is
        true, the net starts from trained weights, and `config.finetune` applies.
        """
        self.config = config
        self.replicas = replicas
        with replicas.strategy.scope(), _DtypePolicy(config.precision):
            keras.utils.set_random_seed(config.seed)
            self.net = build_net()
            for layer in self.net.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True
                    layer.momentum = config.batch_norm_momentum or layer.momentum
                    if fine_tunes and config.finetune.freeze_batch_norm:
                        layer.trainable = False
            self.head: Head = make_head(
                config, embedding_size=self.net.output_shape[1], classes=classes
            )
            self._net_optimizer = _optimizer(config.optimizer, self.net.trainable_variables)
            if config.precision is ComputePrecision.FLOAT16:
                self._net_optimizer = keras.optimizers.LossScaleOptimizer(self._net_optimizer)
            self._net_optimizer.build(self.net.trainable_variables)
            self._head_optimizer = _optimizer(config.optimizer, self.head.trainable_variables)
            self._head_optimizer.build(self.head.trainable_variables)
        self._train_net_and_head = tf.function(self._on_replicas(train_net=True))
        self._train_head = tf.function(self._on_replicas(train_net=False))
        self._embed = tf.function(
            lambda images: tf.cast(self.net(images, training=False), tf.float32),
            input_signature=[tf.TensorSpec((None, *self.net.input_shape[1:]), tf.float32)],
        )

    def step(
        self,
        batch: Batch,
        step_number: int,
        *,
        rate: float,
        net_rate_share: float = 1.0,
        stop: bool = False,
    ) -> StepResult:
        """Trains on one batch.

        `step_number` is 0 for the first step of the training.  `rate` is the learning rate of the
        head, and `rate * net_rate_share` that of the net.  If `net_rate_share` is 0, only the head
        is trained, and the net's weights and batch-norm statistics do not change; otherwise it is
        positive.  `stop` is this process's request to stop, which the results of all processes
        report.
        Raises ModelBuildError if the loss is not finite, which means that training has diverged.
        """
        _set_rate(self._head_optimizer, rate)
        if net_rate_share:
            _set_rate(self._net_optimizer, rate * net_rate_share)
        run = self._train_net_and_head if net_rate_share else self._train_head
        loss, accuracy, stops = run(
            self.replicas.feed(batch.images),
            self.replicas.feed(batch.labels),
            tf.constant(step_number, tf.int64),
            tf.constant(float(stop)),
        )
        if not math.isfinite(float(loss)):
            raise ModelBuildError(
                f"The loss of step {step_number} is {float(loss)}: training has diverged. Pass a "
                "smaller --rate or a longer warm-up; checkpoints made before this step are kept."
            )
        return StepResult(float(loss), float(accuracy), bool(stops > 0))

    def embed(self, images: Float32Array) -> Float32Array:
        """Returns raw embeddings (B, D) float32 for model input (B, H, W, 3) float32.

        Like the outputs of the model file, the embeddings do not have unit length.
        """
        return np.asarray(self._embed(tf.constant(images)).numpy())

    def scores(self, embeddings: Float32Array) -> Float32Array | None:
        """Returns the head's scores (B, classes) of raw embeddings (B, D).

        Scores are logits or cosines, depending on the head.  Returns None if the head has no class
        weights.
        """
        scores = self.head.scores(tf.constant(embeddings))
        return None if scores is None else np.asarray(scores.numpy())

    def variables(self) -> dict[str, Any]:
        """Returns every variable under a unique name, in a fixed order."""
        groups = {
            "net": self.net.variables,
            "head": self.head.variables,
            "net_optimizer": self._net_optimizer.variables,
            "head_optimizer": self._head_optimizer.variables,
        }
        # Keras numbers optimizers and random states across the process (sgd_2/): strip this prefix.
        return {
            f"{group}/{index:04d}/{_NUMBERED_PREFIX.sub('', variable.path)}": variable
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }

    def wait_for_others(self) -> None:
        """Returns when every process has called this method."""

        def meet() -> Any:
            return tf.distribute.get_replica_context().all_reduce("sum", tf.constant(1.0))

        if self.replicas.count > 1:
            tf.function(lambda: self.replicas.strategy.run(meet))()

    def _on_replicas(self, *, train_net: bool) -> Callable[..., tuple[Any, Any, Any]]:
        count = self.replicas.count

        def replica_step(
            images: Any, labels: Any, step_number: Any, stop: Any
        ) -> tuple[Any, Any, Any]:
            with tf.GradientTape(persistent=True) as tape:
                x = tf.cast(self.net(images, training=train_net), tf.float32)
                measured = self.head.measure(x, labels, step_number)
                loss = measured.loss / count  # the optimizers sum the gradients over the replicas
                net_loss = self._scaled(loss)
            if train_net:
                self._apply(self._net_optimizer, tape, net_loss, self.net.trainable_variables)
            self._apply(self._head_optimizer, tape, loss, self.head.trainable_variables)
            # tf.identity makes a tensor for each replica, because MirroredStrategy cannot sum one
            # tensor that all replicas share.
            totals = [loss, measured.accuracy / count, tf.identity(stop)]
            if count > 1:
                totals = tf.distribute.get_replica_context().all_reduce("sum", totals)
            return totals[0], totals[1], totals[2]

        def run(*values: Any) -> tuple[Any, Any, Any]:
            strategy = self.replicas.strategy
            results = strategy.run(replica_step, args=values)
            first = [strategy.experimental_local_results(result)[0] for result in results]
            return first[0], first[1], first[2]

        return run

    def _scaled(self, loss: Any) -> Any:
        if self.config.precision is ComputePrecision.FLOAT16:
            return self._net_optimizer.scale_loss(loss)
        return loss

    @staticmethod
    def _apply(optimizer: Any, tape: Any, loss: Any, variables: list[Any]) -> None:
        if variables:
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.apply(gradients, variables)


def _optimizer(config: OptimizerConfig, variables: list[Any]) -> Any:
    common = {
        "learning_rate": config.rate,
        "weight_decay": config.weight_decay or None,
        "clipnorm": config.clip_norm or None,
    }
    made = {
        OptimizerName.SGD: lambda: keras.optimizers.SGD(momentum=config.momentum, **common),
        OptimizerName.ADAM: lambda: keras.optimizers.Adam(beta_1=config.momentum, **common),
        # facenet's settings: decay 0.9, epsilon 1.0
        OptimizerName.RMSPROP: lambda: keras.optimizers.RMSprop(
            rho=0.9, momentum=config.momentum, epsilon=1.0, **common
        ),
        OptimizerName.ADAGRAD: lambda: keras.optimizers.Adagrad(**common),
    }[config.name]()
    if config.weight_decay:
        made.exclude_from_weight_decay(
            var_list=[variable for variable in variables if variable.name != "kernel"]
        )
    return made


def _set_rate(optimizer: Any, rate: float) -> None:
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner.learning_rate = rate


class _DtypePolicy:
    """Sets Keras's global precision while nets are built."""

    def __init__(self, precision: ComputePrecision) -> None:
        self._dtype_policy = precision.value

    def __enter__(self) -> None:
        self._previous = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self._dtype_policy)

    def __exit__(self, *_error: object) -> None:
        keras.config.set_dtype_policy(self._previous)
