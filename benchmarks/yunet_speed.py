"""YuNet's net by LiteRT, ONNX Runtime and OpenCV, one thread each, in one run.

    python benchmarks/yunet_speed.py

Processor time: the engines take turns, so that a change in the machine's load hits all alike;
ratios are of the shortest times, which other programs disturb least.  ONNX Runtime and OpenCV run
OpenCV's own file with its weights expanded to float32, which they refuse as it is.  Needs the model
yunet and its source (facekit models build yunet), onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facekit.model import registry
from facekit.model.fetch import fetch
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
from tests.networks.independent_nets import RuntimeNet, expanded  # noqa: E402  # by the path above


def opencv_net(onnx: Path) -> Callable[[Float32Array], object]:
    net = cv2.dnn.readNet(str(onnx))
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]

    def run(picture: Float32Array) -> object:
        net.setInput(np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))
        return net.forward(names)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[320, 384, 640])
    parser.add_argument("--runs", type=int, default=100)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        onnx = expanded(fetch(registry.entry("yunet"))[0], Path(folder) / "yunet.onnx")
        engines: dict[str, Callable[[Float32Array], object]] = {
            "LiteRT": LiteRtNet(find("yunet").path).run,
            "ONNX Runtime": RuntimeNet(onnx).outputs,
            "OpenCV": opencv_net(onnx),
        }
        print(
            f"ms of {args.runs} runs in turn, one thread: shortest, median; ratio of the shortest"
        )
        for side in args.sides:
            shape = (1, side, side, 3)
            picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
            spent: dict[str, list[float]] = {name: [] for name in engines}
            for _ in range(args.runs + 2):
                for name, run in engines.items():
                    start = time.process_time()
                    run(picture)
                    spent[name].append((time.process_time() - start) * 1e3)
            ours = min(spent["LiteRT"][2:])
            for name, found in spent.items():
                shortest, middle = min(found[2:]), np.median(found[2:])
                print(f"{side:4}  {name:13}{shortest:7.2f}{middle:8.2f}{shortest / ours:7.2f}")


if __name__ == "__main__":
    main()
