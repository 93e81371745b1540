"""The embedding network, one picture at a time, against ONNX Runtime and OpenVINO.

    .venv-peers/bin/python benchmarks/peer_embedding.py --threads 1

All compute with the weights of the same file.  They take turns, one run each, so that a change
in the machine's load hits all alike; ratios are of the shortest runs, which other programs
disturb least.  Exit code 1 where facekit takes more than 5 % longer than the best.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet

Image: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[Image], NDArray[np.float32]]
_TOLERANCE = 1e-3  # of an output of about 1: the same network, summed in another order


def facekit_run(model: Path, threads: int) -> Run:
    net = LiteRtNet(model, threads=threads)
    return lambda image: np.asarray(net.run(image)[0])


def onnxruntime_run(model: Path, threads: int) -> Run:
    import onnxruntime

    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.onnx import to_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    content = to_onnx(read_litert_graph(model, name=model.stem)).model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda image: np.asarray(session.run(None, {"image": image})[0])


def openvino_run(model: Path, threads: int) -> Run:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(str(model), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda image: np.array(request.infer([image])[compiled.output(0)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="facenet512-casia")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=100)
    args = parser.parse_args()

    model = find(args.model).path
    runs: dict[str, Run] = {"facekit": facekit_run(model, args.threads)}
    for name, make in (("ONNX Runtime", onnxruntime_run), ("OpenVINO", openvino_run)):
        try:
            runs[name] = make(model, args.threads)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    image = np.random.default_rng(1).uniform(-1, 1, (1, 160, 160, 3)).astype(np.float32)
    wanted = runs["facekit"](image)
    for name, run in runs.items():
        off = float(np.abs(run(image) - wanted).max())
        if off > _TOLERANCE:
            raise SystemExit(f"{name} computes something else: off by {off:.3g}")

    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.runs):
        for name, run in runs.items():
            start = time.perf_counter()
            run(image)
            times[name].append((time.perf_counter() - start) * 1e3)
    shortest = {name: min(spent) for name, spent in times.items()}
    best = min(shortest.values())
    print(f"{args.threads} thread(s), {args.runs} runs each, in turn; ms")
    for name, spent in times.items():
        ratio = shortest[name] / best
        print(f"{name:14} {shortest[name]:8.2f} min {np.median(spent):8.2f} median   {ratio:.3f}")
    sys.exit(shortest["facekit"] > 1.05 * best)


if __name__ == "__main__":
    main()
