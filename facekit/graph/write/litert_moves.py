"""Writes LiteRT operators that move data: pad, reshape, transpose, concatenate, slice, resize."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.graph.checks import is_static
from facekit.graph.graph import DYNAMIC, NO_PADS, Coordinates, Node, Operation, Pads, Shape
from facekit.graph.litert_tables import filled
from facekit.graph.write.litert_file import LiteRtFile, Writer

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_BROADCAST_VERSION = 2  # the first version of BROADCAST_TO that is still supported
# the first version of both resize operators with other coordinates than ASYMMETRIC
_RESIZE_VERSION = 3


def write_pad(
    file: LiteRtFile, node: Node, pads: Pads, name: str, shape: Shape, *, value: float = 0.0
) -> int:
    """Adds a PAD of the input of `node` by `value`, and returns its output tensor."""
    top, left, bottom, right = pads
    paddings = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    inputs = [*file.input_tensors(node), file.add_constant(f"{name}/pads", paddings)]
    code, options = _BUILTIN.PAD, (_OPTIONS.PadOptions, schema.PadOptionsT())
    if value:
        code, options = _BUILTIN.PADV2, (_OPTIONS.PadV2Options, schema.PadV2OptionsT())
        inputs.append(file.add_constant(f"{name}/value", np.array([value], np.float32)))
    output = file.add_activation(node, name=name, shape=shape)
    file.add_operator(code, inputs, output, options)
    return output


def _pad(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    value = node.float_attributes.get("value", 0.0)
    write_pad(file, node, node.window.pads or NO_PADS, node.name, node.shape, value=value)


def _reshape(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    shape = np.array(node.shape, np.int32)  # a dynamic dimension is -1 in LiteRT too
    options = (_OPTIONS.ReshapeOptions, filled(schema.ReshapeOptionsT, newShape=shape))
    inputs = [*file.input_tensors(node), file.add_constant(f"{node.name}/shape", shape)]
    file.add_operator(_BUILTIN.RESHAPE, inputs, file.add_activation(node), options)


def _transpose(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    order = file.add_constant(
        f"{node.name}/order", np.array(node.int_attributes["order"], np.int32)
    )
    options = (_OPTIONS.TransposeOptions, schema.TransposeOptionsT())
    inputs = [*file.input_tensors(node), order]
    file.add_operator(_BUILTIN.TRANSPOSE, inputs, file.add_activation(node), options)


def _concatenate(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    table = filled(schema.ConcatenationOptionsT, axis=node.int_attributes["axis"][0])
    options = (_OPTIONS.ConcatenationOptions, table)
    file.add_operator(
        _BUILTIN.CONCATENATION, file.input_tensors(node), file.add_activation(node), options
    )


def _slice(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    begin, end, step = (
        np.array(node.int_attributes[key], np.int32) for key in ("begin", "end", "step")
    )
    first = file.add_constant(f"{node.name}/begin", begin)
    inputs, output = [*file.input_tensors(node), first], file.add_activation(node)
    if (step == 1).all():
        # -1 means to the end of the axis
        size = np.where(end == DYNAMIC, -1, end - begin).astype(np.int32)
        inputs.append(file.add_constant(f"{node.name}/size", size))
        options = (_OPTIONS.SliceOptions, schema.SliceOptionsT())
        file.add_operator(_BUILTIN.SLICE, inputs, output, options)
        return
    inputs += [
        file.add_constant(f"{node.name}/end", end),
        file.add_constant(f"{node.name}/step", step),
    ]
    end_mask = sum(1 << axis for axis, last in enumerate(end) if last == DYNAMIC)
    table = filled(schema.StridedSliceOptionsT, endMask=end_mask)
    options = (_OPTIONS.StridedSliceOptions, table)
    file.add_operator(_BUILTIN.STRIDED_SLICE, inputs, output, options)


def _broadcast(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    shape = file.add_constant(f"{node.name}/shape", np.array(node.shape, np.int32))
    options = (_OPTIONS.BroadcastToOptions, schema.BroadcastToOptionsT())
    inputs = [*file.input_tensors(node), shape]
    file.add_operator(
        _BUILTIN.BROADCAST_TO,
        inputs,
        file.add_activation(node),
        options,
        version=_BROADCAST_VERSION,
    )


def _resize(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    if node.operation is Operation.RESIZE_NEAREST:
        code, kind = _BUILTIN.RESIZE_NEAREST_NEIGHBOR, _OPTIONS.ResizeNearestNeighborOptions
        table = schema.ResizeNearestNeighborOptionsT()
    else:
        code, kind = _BUILTIN.RESIZE_BILINEAR, _OPTIONS.ResizeBilinearOptions
        table = schema.ResizeBilinearOptionsT()
    assert node.resizing is not None
    coordinates = node.resizing.coordinates
    table.halfPixelCenters = coordinates is Coordinates.HALF_PIXEL
    table.alignCorners = coordinates is Coordinates.ALIGN_CORNERS
    inputs = [*file.input_tensors(node), _target_size(file, node)]
    version = 1 if coordinates is Coordinates.ASYMMETRIC else _RESIZE_VERSION
    file.add_operator(code, inputs, file.add_activation(node), (kind, table), version=version)


def _target_size(file: LiteRtFile, node: Node) -> int:
    """Returns the tensor with the target height and width.

    If they are dynamic, they are computed at run time by SHAPE, STRIDED_SLICE and MUL.
    """
    name = f"{node.name}/size"
    assert node.resizing is not None
    if is_static(node.shape[1:3]) or node.resizing.factors is None:
        return file.add_constant(name, np.array(node.shape[1:3], np.int32))
    shape, height_width, size = (
        file.add_shape_tensor(f"{node.name}/{step}", length)
        for step, length in (("shape", 4), ("sides", 2), ("size", 2))
    )
    table = filled(schema.ShapeOptionsT, outType=schema.TensorType.INT32)
    file.add_operator(
        _BUILTIN.SHAPE, file.input_tensors(node), shape, (_OPTIONS.ShapeOptions, table)
    )
    part = [
        file.add_constant(f"{name}/{role}", np.array([position], np.int32))
        for role, position in (("begin", 1), ("end", 3), ("step", 1))
    ]
    options = (_OPTIONS.StridedSliceOptions, schema.StridedSliceOptionsT())
    file.add_operator(_BUILTIN.STRIDED_SLICE, [shape, *part], height_width, options)
    factors = file.add_constant(f"{name}/factors", np.array(node.resizing.factors, np.int32))
    file.add_operator(
        _BUILTIN.MUL, [height_width, factors], size, (_OPTIONS.MulOptions, schema.MulOptionsT())
    )
    return size


DATA_MOVEMENT_WRITERS: dict[Operation, Writer] = {
    Operation.PAD: _pad,
    Operation.RESHAPE: _reshape,
    Operation.TRANSPOSE: _transpose,
    Operation.CONCATENATE: _concatenate,
    Operation.SLICE: _slice,
    Operation.BROADCAST: _broadcast,
    Operation.RESIZE_NEAREST: _resize,
    Operation.RESIZE_BILINEAR: _resize,
}
