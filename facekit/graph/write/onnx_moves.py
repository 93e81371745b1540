"""Writes ONNX operators that move data: pad, reshape, transpose, concatenate, slice, resize."""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, NO_PADS, Coordinates, Node, Operation
from facekit.graph.write.onnx_file import TO_FIRST, TO_LAST, OnnxFile, Writer

_TO_THE_END = np.iinfo(np.int64).max


def _pad(file: OnnxFile, node: Node) -> None:
    top, left, bottom, right = node.window.pads or NO_PADS
    channels_first = file.is_channels_first(node.inputs)
    paddings = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int64)
    pads = paddings[list(TO_FIRST)] if channels_first else paddings
    name = file.name_output(node, channels_first=channels_first)
    inputs = [
        file.tensor_in_layout(node.inputs[0], channels_first=channels_first),
        file.add_constant(f"{name}/pads", pads.T.ravel()),
    ]
    if "value" in node.float_attributes:
        inputs.append(
            file.add_constant(f"{name}/value", np.float32(node.float_attributes["value"]))
        )
    file.add_node("Pad", inputs, node, channels_first=channels_first)


def _reshape(file: OnnxFile, node: Node) -> None:
    (x,) = node.inputs
    if len(node.shape) == 2:
        if len(x.shape) == 4 and x.shape[1:3] == (1, 1):
            file.add_node(
                "Flatten",
                [file.tensor_in_layout(x, channels_first=file.is_channels_first([x]))],
                node,
                axis=1,
            )
        else:
            file.add_node("Flatten", [file.tensor_in_layout(x)], node, axis=1)
        return
    dimensions = np.array([0 if DYNAMIC in node.shape[1:] else DYNAMIC, *node.shape[1:]], np.int64)
    shape = file.add_constant(f"{file.name_output(node)}/shape", dimensions)
    file.add_node("Reshape", [file.tensor_in_layout(x), shape], node)


def _transpose(file: OnnxFile, node: Node) -> None:
    (x,), order = node.inputs, node.int_attributes["order"]
    if order[0] != 0:
        raise ModelBuildError(f"{node.name} moves the batch axis.")
    channels_first = file.is_channels_first([x])
    perm = [TO_LAST[axis] for axis in order] if channels_first else order
    file.add_node(
        "Transpose", [file.tensor_in_layout(x, channels_first=channels_first)], node, perm=perm
    )


def _concatenate(file: OnnxFile, node: Node) -> None:
    channels_first, (axis,) = file.is_channels_first(node.inputs), node.int_attributes["axis"]
    if axis == 0:
        raise ModelBuildError(f"{node.name} combines the images of a batch.")
    inputs = [
        file.tensor_in_layout(node_input, channels_first=channels_first)
        for node_input in node.inputs
    ]
    file.add_node(
        "Concat",
        inputs,
        node,
        channels_first=channels_first,
        axis=TO_LAST[axis] if channels_first else axis,
    )


def _slice(file: OnnxFile, node: Node) -> None:
    (x,), integers = node.inputs, node.int_attributes
    begins, ends, steps = (integers[key] for key in ("begin", "end", "step"))
    if (begins[0], steps[0]) != (0, 1):
        raise ModelBuildError(f"{node.name} leaves out images of a batch.")
    channels_first = file.is_channels_first(node.inputs)
    name, rank = file.name_output(node, channels_first=channels_first), len(x.shape)
    axes = [TO_LAST[axis] if channels_first else axis for axis in range(1, rank)]
    ends = tuple(_TO_THE_END if end == DYNAMIC else end for end in ends)
    inputs = [file.tensor_in_layout(x, channels_first=channels_first)]
    for role, values in (
        ("begin", begins[1:]),
        ("end", ends[1:]),
        ("axes", axes),
        ("step", steps[1:]),
    ):
        inputs.append(file.add_constant(f"{name}/{role}", np.array(values, np.int64)))
    file.add_node("Slice", inputs, node, channels_first=channels_first)


def _broadcast(file: OnnxFile, node: Node) -> None:
    dimensions = np.array([1, *node.shape[1:]], np.int64)
    shape = file.add_constant(f"{file.name_output(node)}/shape", dimensions)
    file.add_node("Expand", [file.tensor_in_layout(node.inputs[0]), shape], node)


_COORDINATES = {
    Coordinates.ASYMMETRIC: "asymmetric",
    Coordinates.HALF_PIXEL: "half_pixel",
    Coordinates.ALIGN_CORNERS: "align_corners",
}


def _resize(mode: str) -> Writer:
    def write(file: OnnxFile, node: Node) -> None:
        (x,), resizing = node.inputs, node.resizing
        assert resizing is not None
        name, image = (
            file.name_output(node, channels_first=True),
            file.tensor_in_layout(x, channels_first=True),
        )
        asymmetric = resizing.coordinates is Coordinates.ASYMMETRIC
        attributes = {
            "mode": mode,
            "coordinate_transformation_mode": _COORDINATES[resizing.coordinates],
            "nearest_mode": "floor" if asymmetric else "round_prefer_ceil",
        }
        if resizing.factors is not None:
            scales = file.add_constant(
                f"{name}/scales", np.array([1, 1, *resizing.factors], np.float32)
            )
            file.add_node("Resize", [image, "", scales], node, channels_first=True, **attributes)
            return
        unchanged = file.add_operator("Shape", [image], f"{name}/unchanged", start=0, end=2)
        size = file.add_constant(f"{name}/size", np.array(node.shape[1:3], np.int64))
        sizes = file.add_operator("Concat", [unchanged, size], f"{name}/sizes", axis=0)
        file.add_node("Resize", [image, "", "", sizes], node, channels_first=True, **attributes)

    return write


DATA_MOVEMENT_WRITERS: dict[Operation, Writer] = {
    Operation.PAD: _pad,
    Operation.RESHAPE: _reshape,
    Operation.TRANSPOSE: _transpose,
    Operation.CONCATENATE: _concatenate,
    Operation.SLICE: _slice,
    Operation.BROADCAST: _broadcast,
    Operation.RESIZE_NEAREST: _resize("nearest"),
    Operation.RESIZE_BILINEAR: _resize("linear"),
}
