"""The devices of a run: one device, several GPUs, or several processes on several machines.

Each of these cases is a strategy of tf.distribute under facekit's loop.  Keras's `fit` refuses
MultiWorkerMirroredStrategy (keras issue 20585).  A step inside `strategy.run` works if its
variables were created in the strategy's scope, because Keras 3's optimizers then sum the gradients
of all replicas.  JAX or PyTorch under Keras would need nets and converters in two frameworks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facekit.errors import UsageError
from facekit.system.inputs import InputKind, parse_json, reading
from facekit.system.native_output import captured_output
from facekit.training.backend import tf
from facekit.training.dataset.batches import Share

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_SETTING = "TF_CONFIG"
_CLUSTER = InputKind("a cluster of workers", UsageError)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The processes of a run, and the index of this process among them."""

    addresses: tuple[str, ...]
    """host:port of each process.  Every process must have the same list in the same order."""
    index: int

    def __post_init__(self) -> None:
        wrong = [one for one in self.addresses if not _ADDRESS.fullmatch(one)]
        if wrong or not self.addresses:
            raise UsageError(
                "--workers-at is a list HOST:PORT,HOST:PORT. Received: "
                f"{', '.join(wrong) or 'nothing'}"
            )
        if len(set(self.addresses)) != len(self.addresses):
            raise UsageError(f"Each worker needs an address of its own. Received: {self.addresses}")
        if not 0 <= self.index < len(self.addresses):
            raise UsageError(
                f"--worker-index counts from 0 to {len(self.addresses) - 1} here. "
                f"Received: {self.index}"
            )


def cluster_of_environment() -> Cluster | None:
    """Returns the cluster in the environment variable TF_CONFIG, or None if there are no workers.

    Schedulers of TensorFlow set this variable.  Raises UsageError if its value is not valid.
    """
    text = os.environ.get(_SETTING)
    if not text:
        return None
    with reading(_CLUSTER, _SETTING):
        raw = parse_json(text)
        workers = raw.get("cluster", {}).get("worker", [])
        if not workers:
            return None
        task = raw["task"]
        if task["type"] != "worker" or set(raw["cluster"]) != {"worker"}:
            raise ValueError("tasks other than worker have no part here")
        return Cluster(tuple(map(str, workers)), int(task["index"]))


@dataclass(frozen=True, slots=True, eq=False)
class Replicas:
    """The replicas of the net in all processes, and the number of replicas in this process."""

    strategy: Any
    """The tf.distribute.Strategy."""
    index: int
    """Index of this process, from 0."""
    local: int
    """Number of replicas in this process."""

    @property
    def count(self) -> int:
        """Number of replicas in all processes."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files and the notes."""
        return self.index == 0

    def share(self, batch_size: int) -> Share:
        """Returns this process's part of each batch.

        Raises UsageError if the replicas cannot share the batch equally.
        """
        if batch_size % self.count:
            raise UsageError(
                f"A batch is cut evenly over {self.count} replicas. Received: batch_size "
                f"{batch_size}; pass a multiple of {self.count} with --batch-size."
            )
        mine = batch_size // self.count * self.local
        return Share(self.index * mine, (self.index + 1) * mine)

    def feed(self, array: np.ndarray[Any, Any]) -> Any:
        """Splits this process's part of a batch, (photos, ...), equally among its replicas."""
        if self.local == 1:
            return tf.constant(array)
        parts = np.split(array, self.local)
        first = self.index * self.local

        def part(context: Any) -> Any:
            return tf.constant(parts[context.replica_id_in_sync_group - first])

        return self.strategy.experimental_distribute_values_from_function(part)


def open_replicas(
    cluster: Cluster | None = None, *, devices: Sequence[str] | None = None
) -> Replicas:
    """Opens one replica on each device.

    `cluster` lists the processes of the run; None means this process only.  `devices` are
    TensorFlow's names of devices of a single process; None means all GPUs, or the CPU if there are
    none.  The function must be called before TensorFlow is used for anything else.
    With a cluster, the function returns when every process has joined.  Raises UsageError if the
    cluster cannot be joined.
    """
    if cluster is not None and len(cluster.addresses) > 1:
        os.environ[_SETTING] = json.dumps(
            {
                "cluster": {"worker": list(cluster.addresses)},
                "task": {"type": "worker", "index": cluster.index},
            }
        )
        try:
            with captured_output():
                strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            first = str(error).partition("\n")[0]
            raise UsageError(
                f"The workers {cluster.addresses} cannot be joined: {first}"
            ) from error
        return Replicas(
            strategy, cluster.index, strategy.num_replicas_in_sync // len(cluster.addresses)
        )
    names = devices or [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    if len(names) > 1:
        with captured_output():
            strategy = tf.distribute.MirroredStrategy(list(names))
        return Replicas(strategy, 0, len(names))
    if devices:
        return Replicas(tf.distribute.OneDeviceStrategy(devices[0]), 0, 1)
    return Replicas(tf.distribute.get_strategy(), 0, 1)
