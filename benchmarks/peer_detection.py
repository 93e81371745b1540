"""Detection on LFW photos, one thread, against facenet-pytorch's MTCNN and the mtcnn package.

    .venv-peers/bin/python benchmarks/peer_detection.py --photos 200

The detectors take turns on each photo, so that a change in the machine's load hits all alike;
ratios are of the sums over all photos.  All search faces of 20 pixels and up at the same
thresholds; facekit at its defaults.  Needs LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from peers import facekit_detector, lfw_photos, mtcnn_package, pixels

from facekit.types import UInt8Array

Count: TypeAlias = Callable[[UInt8Array], int]
"""Runs a detector; the number of faces that it found"""


def facekit_count() -> Count:
    detect = facekit_detector(threads=1)
    return lambda image: len(detect(image))


def mtcnn_count() -> Count:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    detect = mtcnn_package()
    return lambda image: len(detect(image))


def facenet_pytorch_count() -> Count:
    import torch

    _have_nms()
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    detector = MTCNN(keep_all=True, device="cpu", min_face_size=20)

    def count(image: UInt8Array) -> int:
        with torch.no_grad():
            boxes, _ = detector.detect(image)
        return 0 if boxes is None else len(boxes)

    return count


def _have_nms() -> None:
    """torchvision's one compiled operator that is needed, built here where its own do not load."""
    import torch

    try:
        import torchvision
    except RuntimeError:
        from torch.utils.cpp_extension import load

        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        source = Path(__file__).with_name("torchvision_nms.cpp")
        load("torchvision_nms", [str(source)], extra_cflags=["-O3"])
        import torchvision.extension

        torchvision.extension._has_ops = lambda: torch.ops.torchvision.nms is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    args = parser.parse_args()

    detectors: dict[str, Count] = {}
    for name, make in (
        ("facekit", facekit_count),
        ("facenet-pytorch", facenet_pytorch_count),
        ("mtcnn", mtcnn_count),
    ):
        try:
            detectors[name] = make()
        except ImportError as error:
            print(f"{name} is left out: {error}")
    images = [pixels(path) for path in lfw_photos(args.photos)]
    for count in detectors.values():
        for image in images[:3]:  # first runs plan and compile
            count(image)

    spent = {name: np.zeros(len(images)) for name in detectors}
    faces = dict.fromkeys(detectors, 0)
    for place, image in enumerate(images):
        for name, count in detectors.items():
            start = time.perf_counter()
            faces[name] += count(image)
            spent[name][place] = time.perf_counter() - start
    print(f"{len(images)} LFW photos, one thread, in turn")
    for name, seconds in spent.items():
        ratio = seconds.sum() / spent["facekit"].sum()
        print(
            f"{name:16} {np.median(seconds) * 1e3:7.1f} ms median  {seconds.sum():7.2f} s  "
            f"{ratio:5.2f} x facekit's  {faces[name]} faces"
        )


if __name__ == "__main__":
    main()
