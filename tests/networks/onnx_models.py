"""Small ONNX models, put together with the package onnx, and their answers by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from facekit.types import Float32Array

Draw = tuple[list[Any], dict[str, Any]]
"""nodes, from "x" to "y", and their constants"""
SHAPE = (1, 3, 12, 10)
_RANDOM = np.random.default_rng(112)


def noise(*shape: int) -> Float32Array:
    return _RANDOM.standard_normal(shape, np.float32)


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """`inputs`, `output`: names between blanks; "-" is an input that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return onnx.helper.make_node(kind, names, output.split(), **attributes)


def model(
    nodes: list[Any],
    constants: dict[str, Any],
    *,
    shape: tuple[Any, ...] = SHAPE,
    opset: int = 21,
    output: str = "y",
) -> Any:
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "made",
        [onnx.helper.make_tensor_value_info("x", float32, shape)],
        [onnx.helper.make_tensor_value_info(one, float32, None) for one in output.split()],
        [onnx.numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10
    )


def written(made: Any, folder: Path) -> Path:
    path = folder / "made.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def answers_by_onnx_runtime(path: Path, x: Float32Array) -> list[Float32Array]:
    """To the one input, in the file's own order of sides."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options)
    return list(session.run(None, {session.get_inputs()[0].name: x}))
