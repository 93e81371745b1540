"""ONNX operators that put numbers elsewhere, leave some out, or repeat them."""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import NO_PADS, OPEN, Coordinates, Node, Operation
from facekit.graph.write.onnx_file import TO_FIRST, TO_LAST, OnnxFile, Writer

_TO_THE_END = np.iinfo(np.int64).max


def _pad(file: OnnxFile, node: Node) -> None:
    top, left, bottom, right = node.window.pads or NO_PADS
    first = file.is_first(node.inputs)
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int64)
    pads = sides[list(TO_FIRST)] if first else sides
    name = file.given(node, first=first)
    inputs = [
        file.tensor(node.inputs[0], first=first),
        file.constant(f"{name}/pads", pads.T.ravel()),
    ]
    if "value" in node.numbers:
        inputs.append(file.constant(f"{name}/value", np.float32(node.numbers["value"])))
    file.node("Pad", inputs, node, first=first)


def _reshape(file: OnnxFile, node: Node) -> None:
    (x,) = node.inputs
    if len(node.shape) == 2:
        if len(x.shape) == 4 and x.shape[1:3] == (1, 1):
            file.node("Flatten", [file.tensor(x, first=file.is_first([x]))], node, axis=1)
        else:
            file.node("Flatten", [file.tensor(x)], node, axis=1)
        return
    sides = np.array([0 if OPEN in node.shape[1:] else OPEN, *node.shape[1:]], np.int64)
    shape = file.constant(f"{file.given(node)}/shape", sides)
    file.node("Reshape", [file.tensor(x), shape], node)


def _transpose(file: OnnxFile, node: Node) -> None:
    (x,), order = node.inputs, node.integers["order"]
    if order[0] != 0:
        raise ModelBuildError(f"{node.name} moves the side of the pictures.")
    first = file.is_first([x])
    perm = [TO_LAST[place] for place in order] if first else order
    file.node("Transpose", [file.tensor(x, first=first)], node, perm=perm)


def _concatenate(file: OnnxFile, node: Node) -> None:
    first, (axis,) = file.is_first(node.inputs), node.integers["axis"]
    if axis == 0:
        raise ModelBuildError(f"{node.name} puts pictures together.")
    inputs = [file.tensor(one, first=first) for one in node.inputs]
    file.node("Concat", inputs, node, first=first, axis=TO_LAST[axis] if first else axis)


def _slice(file: OnnxFile, node: Node) -> None:
    (x,), integers = node.inputs, node.integers
    begins, ends, steps = (integers[which] for which in ("begin", "end", "step"))
    if (begins[0], steps[0]) != (0, 1):
        raise ModelBuildError(f"{node.name} leaves pictures out.")
    first = file.is_first(node.inputs)
    name, rank = file.given(node, first=first), len(x.shape)
    axes = [TO_LAST[axis] if first else axis for axis in range(1, rank)]
    ends = tuple(_TO_THE_END if end == OPEN else end for end in ends)
    inputs = [file.tensor(x, first=first)]
    for role, numbers in (
        ("begin", begins[1:]),
        ("end", ends[1:]),
        ("axes", axes),
        ("step", steps[1:]),
    ):
        inputs.append(file.constant(f"{name}/{role}", np.array(numbers, np.int64)))
    file.node("Slice", inputs, node, first=first)


def _broadcast(file: OnnxFile, node: Node) -> None:
    sides = np.array([1, *node.shape[1:]], np.int64)
    shape = file.constant(f"{file.given(node)}/shape", sides)
    file.node("Expand", [file.tensor(node.inputs[0]), shape], node)


_COORDINATES = {
    Coordinates.ASYMMETRIC: "asymmetric",
    Coordinates.HALF_PIXEL: "half_pixel",
    Coordinates.ALIGN_CORNERS: "align_corners",
}


def _resize(mode: str) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        (x,), resizing = node.inputs, node.resizing
        assert resizing is not None
        name, picture = file.given(node, first=True), file.tensor(x, first=True)
        asymmetric = resizing.coordinates is Coordinates.ASYMMETRIC
        settings = {
            "mode": mode,
            "coordinate_transformation_mode": _COORDINATES[resizing.coordinates],
            "nearest_mode": "floor" if asymmetric else "round_prefer_ceil",
        }
        if resizing.factors is not None:
            scales = file.constant(
                f"{name}/scales", np.array([1, 1, *resizing.factors], np.float32)
            )
            file.node("Resize", [picture, "", scales], node, first=True, **settings)
            return
        unchanged = file.step("Shape", [picture], f"{name}/unchanged", start=0, end=2)
        size = file.constant(f"{name}/size", np.array(node.shape[1:3], np.int64))
        sizes = file.step("Concat", [unchanged, size], f"{name}/sizes", axis=0)
        file.node("Resize", [picture, "", "", sizes], node, first=True, **settings)

    return write


MOVES: dict[Operation, Writer] = {
    Operation.PAD: _pad,
    Operation.RESHAPE: _reshape,
    Operation.TRANSPOSE: _transpose,
    Operation.CONCATENATE: _concatenate,
    Operation.SLICE: _slice,
    Operation.BROADCAST: _broadcast,
    Operation.RESIZE_NEAREST: _resize("nearest"),
    Operation.RESIZE_BILINEAR: _resize("linear"),
}
