"""Training of a network of 16 x 16 pixels on made-up people: the whole of it in seconds.

    python -m tests.networks.tiny_training \
        DATA OUTPUT [--resume] [--cluster ADDRESSES INDEX] [KEY=VALUE]

is a process that a test can kill, or start twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facekit.enums import Architecture, ColorOrder, CropRule, ResizeFilter
from facekit.graph import operations
from facekit.graph.graph import Graph
from facekit.graph.nets.designs import Design
from facekit.graph.weights import Weights
from facekit.photo.write import write_png
from facekit.training.config import TrainConfig
from facekit.training.config_file import config_from, parse_change
from facekit.training.devices import Cluster, open_replicas
from facekit.training.request import TrainRequest, begin, resumed
from facekit.training.run import Trained, train
from facekit.types import CropSpec, InputSpec

SIDE_PX = 16
USUAL = {
    "embedding_size": 8,
    "epochs": 3,
    "batch_size": 8,
    "dropout": 0.1,
    "seed": 5,
    "checkpoint_steps": 2,
    "batch_norm_momentum": 0.9,
    "optimizer.rate": 0.05,
}


def tiny_net(weights: Weights, *, embedding_size: int) -> Graph:
    """Two convolutions with batch norm; what the real graphs have, but small."""
    x = operations.graph_input("image", (1, SIDE_PX, SIDE_PX, 3))
    for index in range(2):
        kernel = weights.take(f"conv{index}/kernel", (3, 3, x.shape[3], 8))
        x = operations.convolution(x, kernel, f"conv{index}/Conv2D", stride=(2, 2))
        x = operations.batch_norm(
            x,
            f"norm{index}/batchnorm",
            gamma=None,
            beta=weights.take(f"norm{index}/beta", (8,)),
            mean=weights.take(f"norm{index}/moving_mean", (8,)),
            variance=weights.take(f"norm{index}/moving_variance", (8,)),
            epsilon=0.001,
        )
        x = operations.relu(x, f"relu{index}/Relu")
    x = operations.mean(x, "pool/Mean")
    kernel = weights.take("embed/kernel", (8, embedding_size))
    bias = weights.take("embed/bias", (embedding_size,))
    return weights.graph("tiny", operations.dense(x, kernel, "embed/MatMul", bias=bias))


DESIGNS = {
    Architecture.INCEPTION_RESNET_V1: Design(
        build=tiny_net,
        input=InputSpec(SIDE_PX, SIDE_PX, ColorOrder.BGR, 127.5, 128.0),
        crop=CropSpec(CropRule.MARGIN, 3.0, ResizeFilter.BILINEAR),
        embedding_size=8,
    )
}


def write_people(folder: Path, *, people: int = 4, photos: int = 8, side_px: int = 20) -> Path:
    """PERSON/PHOTO.png: a color and a slope of brightness of their own, and noise."""
    random = np.random.default_rng(7)
    for person in range(people):
        color = random.uniform(60, 200, 3)
        slope = random.uniform(-4, 4, 2)
        y, x = np.mgrid[:side_px, :side_px] - side_px / 2
        for photo in range(photos):
            noise = random.normal(0, 12, (side_px, side_px, 3))
            pixels = color + (slope[0] * y + slope[1] * x)[..., None] + noise
            path = folder / f"person{person}" / f"{photo}.png"
            write_png(path, np.clip(pixels, 0, 255).astype(np.uint8))
    return folder


def tiny_config(**changes: Any) -> TrainConfig:
    return config_from({}, {**USUAL, **changes}, origin="the test")


def run_tiny(
    data: Path,
    output: Path,
    *,
    resume: bool = False,
    cluster: Cluster | None = None,
    devices: list[str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    start: Path | None = None,
    **changes: Any,
) -> Trained:
    if resume:
        request = resumed(output, data=data)
    else:
        request = TrainRequest(
            data, tiny_config(**changes), "tiny", None if start is None else str(start)
        )
        if cluster is None or cluster.index == 0:
            begin(output, request)
    return train(
        request,
        output,
        replicas=open_replicas(cluster, devices=devices),
        resume=resume,
        designs=DESIGNS,
        should_stop=should_stop,
    )


if __name__ == "__main__":
    arguments = sys.argv[3:]
    cluster = None
    if "--cluster" in arguments:
        at = arguments.index("--cluster")
        cluster = Cluster(tuple(arguments[at + 1].split(",")), int(arguments[at + 2]))
        del arguments[at : at + 3]
    trained = run_tiny(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        resume="--resume" in arguments,
        cluster=cluster,
        **dict(parse_change(one) for one in arguments if one != "--resume"),
    )
    if cluster is not None:  # for the test to compare
        weights = {weight.path: weight.numpy() for weight in trained.net.weights}
        np.savez(Path(sys.argv[2]).parent / f"worker{cluster.index}.npz", **weights)
