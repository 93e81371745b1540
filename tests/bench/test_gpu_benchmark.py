"""The benchmark of GPUs, run on the CPU: the module made of a graph answers as LiteRT does."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import Graph, Operation
from facekit.graph.write.litert import to_litert
from facekit.types import Float32Array
from tests.networks.run_graph import answers

_PADS = (1, 0, 0, 1)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module("gpu")
    torch.set_num_threads(threads)


def embedder() -> Graph:
    """(1, 12, 10, 3) -> (1, 5), with each operation and each kind of pads that is converted."""
    random = np.random.default_rng(0)

    def weight(*shape: int) -> Float32Array:
        values = random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)
        return np.asarray(values, np.float32)

    x = operations.graph_input("image", (1, 12, 10, 3))
    x = operations.add(x, weight(3), "offset")
    x = operations.multiply(x, weight(1, 12, 10, 1), "mask")
    kernel = weight(3, 2, 3, 8)
    x = operations.convolution(x, kernel, "asymmetric", stride=(2, 1), pads=_PADS)
    x = operations.prelu(x, weight(8), "prelu")
    depthwise = weight(3, 3, 1, 8)
    x = operations.convolution(x, depthwise, "depthwise", bias=weight(8), pads=None)
    statistics = {role: weight(8) for role in ("gamma", "beta", "mean")}
    x = operations.relu(x, "relu")
    variance = np.abs(weight(8))
    x = operations.batch_norm(x, "norm", **statistics, variance=variance, epsilon=1e-3)
    x = moves.pad(x, _PADS, "pad", value=0.5)
    pooled = operations.max_pool(x, (3, 3), "pool", stride=(1, 1))
    x = moves.concatenate([pooled, operations.multiply(pooled, pooled, "square")], "both")
    flat = moves.flatten(x, "flat")
    flat = operations.dense(flat, weight(flat.shape[1], 16), "flat dense")
    y = operations.add(flat, operations.mean(x, "mean"), "sum")
    bias = weight(5)
    return Graph("net", (operations.dense(y, weight(16, 5), "embedding", bias=bias),))


def test_the_module_answers_as_litert_does(gpu: ModuleType) -> None:
    graph = embedder()
    images = np.random.default_rng(1).uniform(-1, 1, (3, 12, 10, 3)).astype(np.float32)
    theirs = answers(graph, images)
    ours = gpu.to_torch(graph)(gpu.torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
    assert gpu.cosines(theirs, np.roll(theirs, 1, 0)).max() < 0.9999  # images are told apart


def test_each_setting_is_measured_and_compared(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(to_litert(embedder()))
    settings = "--device cpu --batches 1 4 --precisions fp32 bf16 --modes eager graph"
    gpu.main(["--network", str(path), *settings.split(), "--seconds", "0.01", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["compared_with"] == "LiteRT"
    assert found["cosine_distance"] <= gpu.ALLOWED
    eager = [row for row in found["speed"] if row["mode"] == "eager"]
    assert [(row["precision"], row["batch"]) for row in eager] == [
        ("fp32", 1), ("fp32", 4), ("bf16", 1), ("bf16", 4),
    ]  # fmt: skip
    for row in eager:
        assert row["images_per_s"] == pytest.approx(row["batch"] / row["median_ms"] * 1e3)
        assert row["runs"] >= 3
        assert 0.99 < row["cosine_min"] <= row["cosine_mean"] <= 1 + 1e-9
    assert eager[2]["cosine_min"] < eager[0]["cosine_min"]
    graphs = [row for row in found["speed"] if row["mode"] == "graph"]
    assert {row["not_measured"] for row in graphs} == {"a GPU is needed"}


def test_an_operation_that_is_not_converted_is_named(gpu: ModuleType) -> None:
    x = operations.graph_input("image", (1, 4, 4, 3))
    x = operations.activation(Operation.HARD_SWISH, x, "swish")
    with pytest.raises(ModelBuildError, match="hard swish swish"):
        gpu.to_torch(Graph("net", (operations.mean(x, "mean"),)))
