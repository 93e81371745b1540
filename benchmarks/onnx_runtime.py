"""The embedding network by LiteRT and by ONNX Runtime, in each precision, in one run.

    facekit convert --int8 --install facenet512-casia
    for p in fp32 fp16 int8; do
      facekit export --format onnx --precision $p --install facenet512-casia
    done
    python benchmarks/onnx_runtime.py

One thread each.  The files take turns, so that a change in the machine's load hits all alike;
ratios are of the shortest times, which other programs disturb least.  Loading and memory are
measured in a process of its own for each file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from facekit.bench.machine import description, peak_gflops
from facekit.model.inspect import inspect_model
from facekit.model.store import find
from facekit.runtime.delegates import AcceleratorRequest, open_net

VARIANTS = ("float32", "int8", "onnx-fp32", "onnx-fp16", "onnx-int8")
_LOAD = """
import json, sys, time
import numpy as np
from pathlib import Path
from facekit.bench.machine import peak_rss_bytes
from facekit.runtime.delegates import AcceleratorRequest
from facekit.runtime.delegates import open_net
start = time.perf_counter()
net = open_net(Path(sys.argv[1]), request=AcceleratorRequest()).net
loaded = time.perf_counter()
crops = np.zeros((64, *net.inputs[0].shape[1:]), np.float32)
net.run(crops[:1])
first = time.perf_counter()
one = peak_rss_bytes() / (1 << 20)
net.run(crops)
many = peak_rss_bytes() / (1 << 20)
print(json.dumps([(loaded - start) * 1e3, (first - loaded) * 1e3, one, many]))
"""


def loading(path: str, repeats: int) -> list[float]:
    """ms to load (runtime's import included), ms of the first run; MB then, MB after 64 crops."""
    found = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", _LOAD, path], capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout))
    return [min(column) for column in zip(*found, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="facenet512-casia")
    parser.add_argument("--variants", nargs="*", default=VARIANTS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch-rounds", type=int, default=4)
    parser.add_argument("--loads", type=int, default=3)
    args = parser.parse_args()

    models = {variant: find(f"{args.model}:{variant}").path for variant in args.variants}
    cpu = AcceleratorRequest()
    nets = {variant: open_net(path, request=cpu).net for variant, path in models.items()}
    macs = inspect_model(models[args.variants[0]]).macs
    assert macs is not None
    side = nets[args.variants[0]].inputs[0].shape[1:]
    crops = np.random.default_rng(1).uniform(-1, 1, (64, *side)).astype(np.float32)
    times: dict[tuple[str, int], list[float]] = {}
    for batch, rounds in ((1, args.rounds), (64, args.batch_rounds)):
        for turn in range(rounds + 1):
            for variant, net in nets.items():
                start = time.perf_counter()
                net.run(crops[:batch])
                if turn:  # the first does not count
                    spent = (time.perf_counter() - start) / batch
                    times.setdefault((variant, batch), []).append(spent)
    peak = max(peak_gflops(1) for _ in range(3))  # as with times: what others disturb least
    print(f"{description()}; float32 matrix product, one thread: {peak:.0f} GFLOP/s")
    print(f"{'':16} one crop {'':10} batch 64 {'':15} load   first     MB    MB 64")
    base = min(times[args.variants[0], 1])
    for variant, path in models.items():
        one, many = min(times[variant, 1]), min(times[variant, 64])
        load, first, mb, mb_64 = loading(str(path), args.loads)
        print(
            f"{variant:10} {one * 1e3:7.1f} ms {one / base:6.3f}   {1 / many:6.1f}/s "
            f"{2e-9 * macs.weighted / many / peak:5.0%} of peak  {load:6.0f} {first:7.0f} "
            f"{mb:6.0f} {mb_64:8.0f}"
        )


if __name__ == "__main__":
    main()
