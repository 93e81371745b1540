"""Reads a graph model of TensorFlow.js: a GraphDef as JSON, and one file with all weights.

Nothing in the files is executed.  The form of the JSON is that of tfjs-converter's
`ModelJSON` (src/io/types.ts of TensorFlow.js).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.read.graph_def import nodes_of_json
from facekit.graph.read.tf_graph import graph_of_nodes
from facekit.graph.weights import MAX_BYTES, reading_graph
from facekit.system.fields import Fields
from facekit.system.inputs import InputKind, parse_json, read_input

_JSON = InputKind("a TensorFlow.js graph model", ModelBuildError, max_bytes=10_000_000)
_WEIGHTS = InputKind("weights of a TensorFlow.js model", ModelBuildError, max_bytes=MAX_BYTES)
_STORED = {"float32": "<f4", "int32": "<i4", "float16": "<f2"}
_FUSED = {"_FusedConv2D": "Conv2D", "_FusedMatMul": "MatMul"}


def read_tfjs(path: Path, weights: Path, *, name: str) -> Graph:
    """Returns the network of the JSON file `path` with the tensors of the file `weights`.

    Raises ModelBuildError if a file is damaged, the files do not belong together, or an operation
    is not supported; the message names the file.
    """
    with reading_graph(_JSON, path):
        model = Fields(parse_json(read_input(path, _JSON)), "model")
        tensors = _tensors(model, read_input(weights, _WEIGHTS))
        nodes = list(_plain_nodes(model.part("modelTopology"), tensors))
        return graph_of_nodes(nodes_of_json(nodes, tensors), name=name)


def _tensors(model: Fields, content: bytes) -> dict[str, NDArray[Any]]:
    """Returns every tensor by its name; float16 becomes float32, as TensorFlow.js does it."""
    found: dict[str, NDArray[Any]] = {}
    offset = 0
    for group in model.parts("weightsManifest"):
        for tensor in group.parts("weights"):
            name, shape = tensor.text("name"), tuple(map(int, tensor.numbers("shape")))
            wanted = tensor.text("dtype")
            stored = (
                tensor.part("quantization").text("dtype") if "quantization" in tensor else wanted
            )
            if wanted not in ("float32", "int32") or stored not in (wanted, "float16"):
                raise ModelBuildError(
                    f"{name} must be float32 or int32, or float32 stored as float16. Received: "
                    f"{wanted} stored as {stored}."
                )
            dtype, count = np.dtype(_STORED[stored]), prod(shape)
            if min(shape, default=1) < 0 or offset + count * dtype.itemsize > len(content):
                raise ModelBuildError(f"{name} of shape {shape} lies beyond the file of weights.")
            values = np.frombuffer(content, dtype, count, offset).reshape(shape)
            found[name] = values.astype(_STORED[wanted])
            offset += count * dtype.itemsize
    if offset != len(content):
        raise ModelBuildError(
            f"its weights have {offset} bytes. Received: a file of {len(content)}. It is damaged, "
            "or that of another model."
        )
    return found


def _plain_nodes(topology: Fields, tensors: dict[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
    """Yields the nodes, with TensorFlow.js's fused operations as several plain ones.

    A constant's values are in `tensors`; Identity is left out, and its readers read its input.
    """
    nodes: list[dict[str, Any]] = [
        {
            "name": node.text("name"),
            "op": node.text("op"),
            "input": node.texts("input") if "input" in node else [],
            "attr": node.mapping("attr") if "attr" in node else {},
        }
        for node in topology.parts("node")
    ]
    same = {node["name"]: node["input"][0] for node in nodes if node["op"] == "Identity"}
    for node in nodes:
        if node["op"] == "Identity":
            continue
        node["input"] = [_source(same, source) for source in node["input"]]
        if node["op"] == "Const" and node["name"] not in tensors:
            raise ModelBuildError(f"{node['name']} has no values among the weights.")
        yield from _expanded(node) if node["op"] in _FUSED else (node,)


def _source(same: dict[str, str], name: str) -> str:
    for _ in range(len(same)):
        name = same.get(name, name)
    return name


def _expanded(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the layer, its bias and its activation; the last has the fused node's name."""
    steps = node["attr"].get("fused_ops", {}).get("list", {}).get("s", [])
    known = {"Qmlhc0FkZA==": "BiasAdd", "UmVsdQ==": "Relu"}  # base64, as JSON has bytes
    operations = [known.get(step) for step in steps]
    if operations not in (["BiasAdd"], ["BiasAdd", "Relu"]):
        raise ModelBuildError(f"{node['name']} must add a bias, and may end with Relu.")
    x, kernel, bias = node["input"]
    layer, sums = (
        f"{node['name']}/layer",
        f"{node['name']}/bias" if len(steps) > 1 else node["name"],
    )
    yield node | {"name": layer, "op": _FUSED[node["op"]], "input": [x, kernel]}
    yield {"name": sums, "op": "BiasAdd", "input": [layer, bias], "attr": {}}
    if len(steps) > 1:
        yield {"name": node["name"], "op": "Relu", "input": [sums], "attr": {}}
