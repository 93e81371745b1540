"""PReLU in an ONNX file: as facekit writes it, and as ONNX's own operator, in one run.

    facekit models build sface
    python benchmarks/onnx_prelu.py

One thread, one picture; processor time, which other programs disturb less than wall time.  The
files take turns.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from facekit.graph.graph import Graph, Operation
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.write import onnx as writer
from facekit.graph.write.onnx_elementwise import elementwise
from facekit.model.store import find

ROUNDS = 40


def session(graph: Graph) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = writer.to_onnx(graph).model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sface")
    graph = read_litert_graph(find(parser.parse_args().model).path, name="net")
    sessions = {"as facekit writes it": session(graph)}
    writer.WRITERS[Operation.PRELU] = elementwise("PRelu")
    sessions["PRelu"] = session(graph)
    shape = (1, *graph.inputs[0].shape[1:])
    picture = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    times: dict[str, list[float]] = {which: [] for which in sessions}
    for turn in range(ROUNDS + 1):
        for which, one in sessions.items():
            start = time.process_time()
            one.run(None, {"image": picture})
            if turn:  # the first does not count
                times[which].append(time.process_time() - start)
    base = min(times["PRelu"])
    for which, spent in times.items():
        print(f"{which:20} {min(spent) * 1e3:6.1f} ms  {min(spent) / base:.2f}")


if __name__ == "__main__":
    main()
