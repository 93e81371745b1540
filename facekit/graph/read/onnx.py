"""An ONNX file of one of our graphs as steps, and so into our graph.

Exporters name initializers as they like and fold batch norms or not, so kernels are found by
following the graph.  The file is then run on a known picture, and must answer as ours does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph import steps
from facekit.graph.fold_port import port_steps
from facekit.graph.probe import pattern, require_same_answer
from facekit.graph.read.onnx_layout import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    Constant,
    Tracked,
    Value,
)
from facekit.graph.read.onnx_operators import MAKERS
from facekit.graph.weights import MAX_BYTES, SourceWeights
from facekit.system.extras import require
from facekit.system.keras_backend import keras
from facekit.types import Float32Array

_SHAPE_ONLY = ("Shape", "Size", "ConstantOfShape")
_CONSTANT_FOLDING: dict[str, Callable[..., Constant]] = {
    "Identity": lambda a: a,
    "Neg": lambda a: -a,
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Reshape": lambda a, shape: a.reshape(tuple(shape)),
}
_MESSAGE = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""fields of a ModelProto with their wire types; 7 is the graph"""


def is_onnx(path: Path) -> bool:
    """Whether the file begins as a ModelProto does: its version, then names and versions."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        head = file.read(4)
    return (
        len(head) == 4
        and head[0] == 0x08
        and head[1] < 0x80
        and (_MESSAGE.get(head[2] >> 3) == head[2] & 7)
    )


def read_onnx(path: Path) -> SourceWeights:
    """Raises ModelBuildError naming the operator or tensor, MissingExtraError without onnx."""
    output, layout = _read(path)
    return SourceWeights(output.shape[2], lambda net: _fill(net, output, layout, path))


def _fill(net: keras.Model, output: steps.Node, layout: str, path: Path) -> None:
    port_steps(net, output, origin=path.name)
    _, height, width, _ = net.input_shape
    picture = ((pattern(1, height, width) - 127.5) / 128).astype(np.float32)
    theirs = _run(path, picture.transpose(0, 3, 1, 2) if layout == CHANNELS_FIRST else picture)
    require_same_answer(np.asarray(net(picture)), theirs, path.name)


def _run(path: Path, picture: Float32Array) -> Float32Array:
    """What ONNX Runtime answers to a picture of the file's own shape: (1, D)."""
    onnxruntime = require(
        "onnxruntime", extra="onnx", needed_for=f"Testing what {path.name} answers"
    )
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        answer: Float32Array = session.run(None, {session.get_inputs()[0].name: picture})[0]
    except Exception as error:  # its errors have no base of their own
        first_line = str(error).strip().partition("\n")[0]
        raise ModelBuildError(f"{path.name} does not run: {first_line}") from error
    return answer


def _read(path: Path) -> tuple[steps.Node, str]:
    """The one output, and the input's layout."""
    onnx = require("onnx", extra="convert", needed_for=f"Reading {path.name}")
    if path.stat().st_size > MAX_BYTES:
        raise ModelBuildError(f"{path} has {path.stat().st_size} bytes; {MAX_BYTES} are allowed.")
    try:
        graph = onnx.load(path, load_external_data=False).graph
        if outside := [one.name for one in graph.initializer if one.data_location]:
            raise ModelBuildError(
                f"{path.name}: the tensor {outside[0]} lies in another file. Export with all "
                "tensors in one file."
            )
        values: dict[str, Value] = {
            one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer
        }
    except ModelBuildError:
        raise
    except Exception as error:  # protobuf and onnx each raise their own
        raise ModelBuildError(f"{path} is not an ONNX file, or is damaged: {error}") from error
    inputs = [one for one in graph.input if one.name not in values]
    if (len(inputs), len(graph.output)) != (1, 1):
        raise ModelBuildError(f"{path.name} must have one input and one output.")
    values[inputs[0].name] = picture = _picture(inputs[0], path)
    used = {graph.output[0].name}
    for node in graph.node:
        used.update(node.input)
        _follow(node, values, path, onnx)
    output = values.get(graph.output[0].name)
    if not isinstance(output, Tracked):
        raise ModelBuildError(f"{path.name}: its output does not come from its input.")
    for name, value in values.items():
        if name not in used and isinstance(value, np.ndarray):
            raise ModelBuildError(f"{path.name} has a tensor with no place in the graph: {name}.")
    return output.node, picture.layout


def _follow(node: Any, values: dict[str, Value], path: Path, onnx: Any) -> None:
    """Adds the outputs of one operator."""
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    name = node.output[0]
    missing = [one for one in node.input if one and one not in values]
    if missing:
        raise ModelBuildError(f"{path.name} lacks the tensor {missing[0]}, which {name} needs.")
    given = [values[one] if one else None for one in node.input]
    try:
        if node.op_type == "Constant":
            values[name] = onnx.numpy_helper.to_array(attributes["value"])
        elif node.op_type in _SHAPE_ONLY or (given and all(one is None for one in given)):
            values[name] = None
        elif not any(isinstance(one, Tracked) for one in given):
            known = not any(one is None for one in given)
            fold = _CONSTANT_FOLDING.get(node.op_type)
            values[name] = fold(*given) if fold is not None and known else None
        elif node.op_type in MAKERS:
            values[name] = MAKERS[node.op_type](given, attributes, name)
        else:
            raise ValueError(f"the operator {node.op_type}, which none of our nets has")
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise ModelBuildError(f"{path.name}: {name} cannot be read: {error}.") from error


def _picture(declared: Any, path: Path) -> Tracked:
    shape = [one.dim_value for one in declared.type.tensor_type.shape.dim]  # 0: open
    layout = CHANNELS_FIRST if len(shape) == 4 and shape[1] == 3 else CHANNELS_LAST
    by_axis = dict(zip(layout, shape, strict=False))
    if len(shape) != 4 or by_axis["C"] != 3 or not by_axis["H"] or not by_axis["W"]:
        raise ModelBuildError(
            f"{path.name} must take pictures of (N, 3, height, width) or (N, height, width, 3) "
            f"with known sides. Received: {shape} (0 is open)."
        )
    return Tracked(steps.image(by_axis["H"], by_axis["W"], declared.name), layout)
