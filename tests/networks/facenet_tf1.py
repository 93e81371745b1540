"""facenet's TensorFlow 1 training graph, written here after its paper and names, to make files.

https://github.com/davidsandberg/facenet: variables as TF-Slim calls them, batch norms that a
placeholder `phase_train` switches between training and inference, unit length at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from facekit.types import Float32Array

v1 = tf.compat.v1
ROOT = "InceptionResnetV1"
OPTIMIZER_LEFT = (
    "beta1_power",
    "global_step",
    "Logits/weights",
    f"{ROOT}/Conv2d_1a_3x3/weights/Adam",
    f"{ROOT}/Conv2d_1a_3x3/weights/Adam_1",
    f"{ROOT}/Bottleneck/BatchNorm/beta/ExponentialMovingAverage",
    "total_loss/avg",
)
"""variables that training leaves in a checkpoint"""


class TrainingGraph:
    """The graph with `arrays`, by variable name, as its variables' values."""

    def __init__(self, arrays: Mapping[str, Float32Array]) -> None:
        self._arrays = arrays
        self._variables: dict[str, Any] = {}
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.picture = v1.placeholder(tf.float32, (None, 160, 160, 3), name="image_batch")
            self.phase = v1.placeholder(tf.bool, (), name="phase_train")
            self.embeddings = self._net()
            self.session = v1.Session(graph=self.graph)
            made = self._variables
            values = {made[name].initializer.inputs[1]: arrays[name] for name in made}
            self.session.run([one.initializer for one in made.values()], values)

    def embed(self, picture: Float32Array) -> Float32Array:
        """(N, 160, 160, 3) scaled -> (N, D) of unit length, in inference."""
        fed = {self.picture: picture, self.phase: False}
        return np.asarray(self.session.run(self.embeddings, fed))

    def freeze(self, path: Path) -> None:
        frozen = v1.graph_util.convert_variables_to_constants(
            self.session, self.graph.as_graph_def(), ["embeddings"]
        )
        path.write_bytes(frozen.SerializeToString())

    def save(self, folder: Path) -> Path:
        """A checkpoint with its .meta; returns the index."""
        with self.graph.as_default():
            for name in OPTIMIZER_LEFT:
                left = v1.Variable(tf.ones((2, 2)), name=name, use_resource=False)
                self.session.run(left.initializer)
            prefix = v1.train.Saver().save(
                self.session, str(folder / "model-20180408-102900.ckpt"), global_step=90
            )
        return Path(f"{prefix}.index")

    def _variable(self, name: str) -> Any:
        made = v1.Variable(tf.zeros(self._arrays[name].shape), name=name, use_resource=False)
        self._variables[name] = made
        return made

    def _net(self) -> Any:
        x = self._conv(self.picture, "Conv2d_1a_3x3", stride=2, padding="VALID")
        x = self._conv(x, "Conv2d_2a_3x3", padding="VALID")
        x = self._conv(x, "Conv2d_2b_3x3")
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        x = self._conv(x, "Conv2d_3b_1x1", padding="VALID")
        x = self._conv(x, "Conv2d_4a_3x3", padding="VALID")
        x = self._conv(x, "Conv2d_4b_3x3", stride=2, padding="VALID")
        for k in range(1, 6):
            branches = ("1x1",), ("0a_1x1", "0b_3x3"), ("0a_1x1", "0b_3x3", "0c_3x3")
            x = tf.nn.relu(self._residual(x, f"Repeat/block35_{k}", branches, 0.17))
        x = self._reduction(x, "Mixed_6a", (("1a_3x3",), ("0a_1x1", "0b_3x3", "1a_3x3")))
        for k in range(1, 11):
            branches17 = ("1x1",), ("0a_1x1", "0b_1x7", "0c_7x1")
            x = tf.nn.relu(self._residual(x, f"Repeat_1/block17_{k}", branches17, 0.10))
        paths = ("0a_1x1", "1a_3x3"), ("0a_1x1", "1a_3x3"), ("0a_1x1", "0b_3x3", "1a_3x3")
        x = self._reduction(x, "Mixed_7a", paths)
        branches8 = ("1x1",), ("0a_1x1", "0b_1x3", "0c_3x1")
        for k in range(1, 6):
            x = tf.nn.relu(self._residual(x, f"Repeat_2/block8_{k}", branches8, 0.20))
        x = self._residual(x, "Block8", branches8, 1.0)
        x = tf.reduce_mean(x, (1, 2))
        with v1.name_scope(f"{ROOT}/Logits/Dropout/"):
            kept = tf.constant(1.0, name="keep_prob")
            x = tf.where(self.phase, x / kept, x)
        with v1.name_scope(f"{ROOT}/Bottleneck/"):
            x = tf.matmul(x, self._variable_here("Bottleneck", "weights"), name="MatMul")
            x = self._norm(x[:, None, None, :], "Bottleneck")[:, 0, 0, :]
        with v1.name_scope("embeddings/"):
            squares = tf.reduce_sum(x * x, 1, keepdims=True)
            unit = x * tf.math.rsqrt(tf.maximum(squares, tf.constant(1e-10, name="Maximum/y")))
        return tf.identity(unit, name="embeddings")

    def _variable_here(self, scope: str, leaf: str) -> Any:
        with v1.name_scope(None):  # the variable's name is whole
            return self._variable(f"{ROOT}/{scope}/{leaf}")

    def _conv(self, x: Any, scope: str, *, stride: int = 1, padding: str = "SAME") -> Any:
        kernel = self._variable_here(scope, "weights")
        return tf.nn.relu(self._norm(tf.nn.conv2d(x, kernel, stride, padding), scope))

    def _norm(self, x: Any, scope: str) -> Any:
        beta, mean, variance = (
            self._variable_here(scope, f"BatchNorm/{leaf}")
            for leaf in ("beta", "moving_mean", "moving_variance")
        )
        with v1.name_scope(f"{ROOT}/{scope}/BatchNorm/"):
            gamma = tf.constant(np.ones(x.shape[-1], np.float32), name="Const")
        with v1.name_scope(f"{ROOT}/{scope}/BatchNorm/cond/"):
            wanted = [tf.raw_ops.Switch(data=one, pred=self.phase)
                      for one in (x, gamma, beta, mean, variance)]  # fmt: skip
            nothing = tf.constant(np.zeros(0, np.float32), name="Const")
            data, scale, offset, *_ = (one.output_true for one in wanted)
            trained, batch_mean, *_ = tf.raw_ops.FusedBatchNormV3(
                x=data, scale=scale, offset=offset, mean=nothing, variance=nothing, epsilon=0.001
            )
            decay = tf.constant(0.005, name="AssignMovingAvg/decay")
            moved = (wanted[3].output_true - batch_mean) * decay
            with tf.control_dependencies([moved]):
                trained = tf.identity(trained)
            data, scale, offset, at, spread = (one.output_false for one in wanted)
            inferred = tf.raw_ops.FusedBatchNormV3(
                x=data, scale=scale, offset=offset, mean=at, variance=spread,
                epsilon=0.001, is_training=False,
            ).y  # fmt: skip
            merged = tf.raw_ops.Merge(inputs=[inferred, trained], name="Merge").output
        merged.set_shape(x.shape)
        return merged

    def _branch(self, x: Any, scope: str, steps: tuple[str, ...]) -> Any:
        for step in steps:
            halves = step.startswith("1a")
            x = self._conv(
                x,
                f"{scope}/Conv2d_{step}",
                stride=2 if halves else 1,
                padding="VALID" if halves else "SAME",
            )
        return x

    def _residual(self, x: Any, scope: str, branches: Any, scale: float) -> Any:
        parts = [self._branch(x, f"{scope}/Branch_{k}", one) for k, one in enumerate(branches)]
        up = tf.nn.conv2d(tf.concat(parts, 3), self._variable_here(scope, "Conv2d_1x1/weights"),
                          1, "SAME")  # fmt: skip
        up = tf.nn.bias_add(up, self._variable_here(scope, "Conv2d_1x1/biases"))
        factor = tf.constant(scale, name=f"{ROOT}/{scope}/mul/x")
        return x + factor * up

    def _reduction(self, x: Any, scope: str, branches: Any) -> Any:
        parts = [self._branch(x, f"{scope}/Branch_{k}", one) for k, one in enumerate(branches)]
        return tf.concat([*parts, tf.nn.max_pool2d(x, 3, 2, "VALID")], 3)
