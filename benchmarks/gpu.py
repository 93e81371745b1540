"""The throughput of an embedding network on an NVIDIA GPU, by PyTorch.

    PYTHONPATH=. python benchmarks/gpu.py --architecture inception-resnet-v1
    PYTHONPATH=. python benchmarks/gpu.py --network sface.onnx --mean 0 --std 1 --json

facekit reads the network (LiteRT or ONNX) or builds it with random weights, which are as fast as
trained ones; batch norms are folded, as in facekit's own files.  Needs PyTorch, and LiteRT for a
LiteRT file.

The float32 embeddings are first compared with those of LiteRT, or of ONNX Runtime without LiteRT.
Then each precision is measured in each mode: "eager" (each operation is started from Python),
"graph" (a CUDA graph starts them all at once) and, if asked for, "compile" (torch.compile, within a
CUDA graph).  Images lie in the GPU's memory already: copies from the CPU are not measured.  A time
is the median of the times between the ends of successive batches.  Each row states the cosine
similarity of its embeddings to those in float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from enum import Enum
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from graph_in_torch import ALLOWED, COMPARED, compare, cosines, to_torch

from facekit.enums import Architecture
from facekit.graph.fold import fold_batch_norms
from facekit.graph.graph import Graph, Operation
from facekit.graph.probe import pattern

_WARM_UP = 20
_BURST = 10
"""Batches that are started before the CPU waits for the GPU."""


class Precision(Enum):
    FP32 = "fp32"
    TF32 = "tf32"
    """float32 whose products are of 10 bits of mantissa."""
    FP16 = "fp16"
    BF16 = "bf16"

    @property
    def dtype(self) -> torch.dtype:
        return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.value, torch.float32)


class Mode(Enum):
    EAGER = "eager"
    GRAPH = "graph"
    COMPILE = "compile"


@dataclass(frozen=True, slots=True)
class Speed:
    """One setting's speed, or why it has none."""

    precision: str
    mode: str
    batch: int
    median_ms: float | None = None
    images_per_s: float | None = None
    tflops: float | None = None
    """10^12 additions and multiplications a second, in convolutions and dense layers."""
    runs: int = 0
    cosine_min: float | None = None
    cosine_mean: float | None = None
    """The similarity to the float32 embeddings of the same images."""
    not_measured: str | None = None

    def __str__(self) -> str:
        setting = f"{self.precision:5} {self.mode:8} {self.batch:5}"
        if self.not_measured is not None:
            return f"{setting}  not measured: {self.not_measured}"
        return (
            f"{setting} {self.median_ms:10.3f} {self.images_per_s:10.1f} {self.tflops:8.2f} "
            f"{self.runs:6} {self.cosine_min:11.7f} {self.cosine_mean:11.7f}"
        )


_HEADING = f"{'':5} {'':8} batch {'ms':>10} {'images/s':>10} TFLOP/s   runs  cosine min        mean"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--network", type=Path, metavar="FILE", help=".tflite or .onnx, float32")
    source.add_argument("--architecture", choices=[one.value for one in Architecture])
    parser.add_argument("--mean", type=float, default=127.5, help="subtracted from the images")
    parser.add_argument("--std", type=float, default=128.0, help="by which they are then divided")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    precisions, modes = [one.value for one in Precision], [one.value for one in Mode]
    parser.add_argument("--precisions", nargs="+", choices=precisions, default=precisions)
    parser.add_argument("--modes", nargs="+", choices=modes, default=modes[:2])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64, 256])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each setting, at least")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    say = partial(print, file=sys.stderr if args.json else sys.stdout, flush=True)

    graph = fold_batch_norms(_network(args.network, args.architecture))
    macs = multiply_accumulates(graph)
    about = {
        "network": args.architecture or args.network.name,
        "weights": "random" if args.architecture else "of the file",
        "input": graph.inputs[0].shape[1:],
        "gmacs": macs / 1e9,
        **machine(args.device),
    }
    say("\n".join(f"{key}: {value}" for key, value in about.items()))
    count = max(*args.batches, COMPARED)
    images = ((pattern(count, *graph.inputs[0].shape[1:3]) - args.mean) / args.std).astype("f4")
    module = to_torch(graph).to(args.device)
    given: Any = torch.from_numpy(images).to(args.device).permute(0, 3, 1, 2)  # a view
    _allow_tf32(False)
    exact = torch.cat([module(part) for part in given.split(16)])
    agreement = compare(args.network, graph, images[:COMPARED], exact[:COMPARED].cpu().numpy())
    say("\n".join(f"{key}: {value}" for key, value in agreement.items()))
    say(_HEADING)
    found = []
    for precision in map(Precision, args.precisions):
        for mode in map(Mode, args.modes):
            for batch in args.batches:
                run = partial(measure, module, given[:batch], exact[:batch], precision, mode)
                found.append(run(seconds=args.seconds, macs=macs))
                say(found[-1])
    int8 = "not measured: PyTorch alone has no int8 convolution on a GPU"
    say(f"int8: {int8}")
    if args.json:
        rows = [asdict(row) for row in found]
        print(json.dumps({**about, **agreement, "int8": int8, "speed": rows}, indent=1))
    if not agreement.get("cosine_distance", 0.0) <= ALLOWED:
        raise SystemExit(f"the embeddings differ by more than {ALLOWED}")


def _network(path: Path | None, architecture: str) -> Graph:
    # Each reader is imported where it is needed, because LiteRT's package may be missing.
    if path is None:
        from facekit.graph.nets.designs import DESIGNS

        design = DESIGNS[Architecture(architecture)]
        return design.untrained(embedding_size=design.embedding_size, seed=0)
    if path.suffix == ".onnx":
        from facekit.graph.read.onnx_graph import read_onnx_graph

        return read_onnx_graph(path, name=path.stem)
    from facekit.graph.read.litert import read_litert_graph

    return read_litert_graph(path, name=path.stem)


def multiply_accumulates(graph: Graph) -> int:
    """Returns those of convolutions and dense layers, for one image."""
    weighted = (Operation.CONVOLUTION, Operation.DENSE)
    return sum(
        prod(node.shape[1:-1]) * node.weights["kernel"].size
        for node in graph.nodes
        if node.operation in weighted
    )


def machine(device: str) -> dict[str, Any]:
    versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
    if device == "cpu":
        return {"device": f"CPU, {torch.get_num_threads()} threads", **versions}
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    cudnn: Any = torch.backends.cudnn
    libraries = {"cuda": torch.version.cuda, "cudnn": cudnn.version()}
    return {"device": torch.cuda.get_device_name(), "driver": driver, **versions, **libraries}


def measure(
    module: Any,
    images: torch.Tensor,
    exact: torch.Tensor,
    precision: Precision,
    mode: Mode,
    *,
    seconds: float,
    macs: int,
) -> Speed:
    """Measures batches of `images`, whose float32 embeddings are `exact`."""
    batch, on_gpu = len(images), images.is_cuda
    setting = partial(Speed, precision.value, mode.value, batch)
    if not on_gpu and (precision is Precision.TF32 or mode is Mode.GRAPH):
        return setting(not_measured="a GPU is needed")
    _allow_tf32(precision is Precision.TF32)
    net, given = deepcopy(module).to(precision.dtype), images.to(precision.dtype)
    run: Callable[[], Any] = partial(net, given)
    try:
        if mode is Mode.COMPILE:
            torch.compiler.reset()
            run = partial(torch.compile(net, dynamic=False), given)
        if on_gpu and mode is not Mode.EAGER:
            run = _captured(run)
        for _ in range(_WARM_UP if on_gpu else 1):
            embeddings = run()
    except RuntimeError as error:  # no compiler, or too little memory
        return setting(not_measured=f"{type(error).__name__}: {error}".splitlines()[0])
    similar = cosines(exact.cpu().numpy(), embeddings.float().cpu().numpy())
    times = list(_times_ms(run, seconds, on_gpu=on_gpu))
    median = float(np.median(times))
    return setting(
        median,
        batch / median * 1e3,
        2e-9 * macs * batch / median,
        len(times),
        float(similar.min()),
        float(similar.mean()),
    )


def _allow_tf32(allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allowed
    torch.set_float32_matmul_precision("high" if allowed else "highest")


def _captured(run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """Returns a function that replays the operations of `run` as a CUDA graph."""
    cuda: Any = torch.cuda
    stream = cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # cuDNN chooses its algorithms before the capture
        for _ in range(_WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        embeddings = run()

    def replay() -> torch.Tensor:
        graph.replay()
        return embeddings

    return replay


def _times_ms(run: Callable[[], Any], seconds: float, *, on_gpu: bool) -> Iterator[float]:
    """Yields the time of each batch until `seconds` have passed, and of three at least.

    On a GPU it is the time from the end of the batch before, by the GPU's clock.
    """
    cuda: Any = torch.cuda
    begun, count = time.perf_counter(), 0
    while count < 3 or time.perf_counter() - begun < seconds:
        if not on_gpu:
            start = time.perf_counter()
            run()
            yield (time.perf_counter() - start) * 1e3
            count += 1
            continue
        events = [cuda.Event(enable_timing=True) for _ in range(_BURST + 1)]
        events[0].record()
        for event in events[1:]:
            run()
            event.record()
        torch.cuda.synchronize()
        yield from (a.elapsed_time(b) for a, b in pairwise(events))
        count += _BURST


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    main()
