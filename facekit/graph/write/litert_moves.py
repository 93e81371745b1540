"""LiteRT operators that put numbers elsewhere, leave some out, or repeat them."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from facekit.graph.checks import known
from facekit.graph.graph import NO_PADS, OPEN, Coordinates, Node, Operation, Pads, Shape
from facekit.graph.write.litert_file import LiteRtFile, Writer

_BUILTIN = schema.BuiltinOperator
_OPTIONS = schema.BuiltinOptions
_REPEATS = 2  # the first version of BROADCAST_TO that is still run
_PLACES_CORNERS = 3  # the first version of both resizes that knows more than ASYMMETRIC


def write_pad(
    file: LiteRtFile, node: Node, pads: Pads, name: str, shape: Shape, *, value: float = 0.0
) -> int:
    """`value` around what `node` reads."""
    top, left, bottom, right = pads
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    inputs = [*file.read_by(node), file.constant(f"{name}/pads", sides)]
    code, options = _BUILTIN.PAD, (_OPTIONS.PadOptions, schema.PadOptionsT())
    if value:
        code, options = _BUILTIN.PADV2, (_OPTIONS.PadV2Options, schema.PadV2OptionsT())
        inputs.append(file.constant(f"{name}/value", np.array([value], np.float32)))
    output = file.computed(node, name=name, shape=shape)
    file.operator(code, inputs, output, options)
    return output


def _pad(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    value = node.numbers.get("value", 0.0)
    write_pad(file, node, node.window.pads or NO_PADS, node.name, node.shape, value=value)


def _reshape(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    shape = np.array(node.shape, np.int32)  # an open side is -1 here too
    options = (_OPTIONS.ReshapeOptions, schema.ReshapeOptionsT(newShape=shape))
    inputs = [*file.read_by(node), file.constant(f"{node.name}/shape", shape)]
    file.operator(_BUILTIN.RESHAPE, inputs, file.computed(node), options)


def _transpose(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    order = file.constant(f"{node.name}/order", np.array(node.integers["order"], np.int32))
    options = (_OPTIONS.TransposeOptions, schema.TransposeOptionsT())
    inputs = [*file.read_by(node), order]
    file.operator(_BUILTIN.TRANSPOSE, inputs, file.computed(node), options)


def _concatenate(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    table = schema.ConcatenationOptionsT(axis=node.integers["axis"][0])
    options = (_OPTIONS.ConcatenationOptions, table)
    file.operator(_BUILTIN.CONCATENATION, file.read_by(node), file.computed(node), options)


def _slice(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    begin, end, step = (
        np.array(node.integers[which], np.int32) for which in ("begin", "end", "step")
    )
    first = file.constant(f"{node.name}/begin", begin)
    inputs, output = [*file.read_by(node), first], file.computed(node)
    if (step == 1).all():
        size = np.where(end == OPEN, -1, end - begin).astype(np.int32)  # -1: up to the end
        inputs.append(file.constant(f"{node.name}/size", size))
        options = (_OPTIONS.SliceOptions, schema.SliceOptionsT())
        file.operator(_BUILTIN.SLICE, inputs, output, options)
        return
    inputs += [file.constant(f"{node.name}/end", end), file.constant(f"{node.name}/step", step)]
    to_the_end = sum(1 << place for place, last in enumerate(end) if last == OPEN)
    table = schema.StridedSliceOptionsT(endMask=to_the_end)
    options = (_OPTIONS.StridedSliceOptions, table)
    file.operator(_BUILTIN.STRIDED_SLICE, inputs, output, options)


def _broadcast(file: LiteRtFile, node: Node, _fused: Node | None) -> None:
    shape = file.constant(f"{node.name}/shape", np.array(node.shape, np.int32))
    options = (_OPTIONS.BroadcastToOptions, schema.BroadcastToOptionsT())
    inputs = [*file.read_by(node), shape]
    file.operator(_BUILTIN.BROADCAST_TO, inputs, file.computed(node), options, version=_REPEATS)


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
    inputs = [*file.read_by(node), _resized_to(file, node)]
    version = 1 if coordinates is Coordinates.ASYMMETRIC else _PLACES_CORNERS
    file.operator(code, inputs, file.computed(node), (kind, table), version=version)


def _resized_to(file: LiteRtFile, node: Node) -> int:
    """The rows and columns to resize to: calculated when it runs where a side is open, since a
    constant would hold for one size of picture alone."""
    name = f"{node.name}/size"
    assert node.resizing is not None
    if known(node.shape[1:3]) or node.resizing.factors is None:
        return file.constant(name, np.array(node.shape[1:3], np.int32))
    shape, sides, size = (
        file.counted(f"{node.name}/{step}", length)
        for step, length in (("shape", 4), ("sides", 2), ("size", 2))
    )
    table = schema.ShapeOptionsT(outType=schema.TensorType.INT32)
    file.operator(_BUILTIN.SHAPE, file.read_by(node), shape, (_OPTIONS.ShapeOptions, table))
    part = [
        file.constant(f"{name}/{role}", np.array([at], np.int32))
        for role, at in (("begin", 1), ("end", 3), ("step", 1))
    ]
    options = (_OPTIONS.StridedSliceOptions, schema.StridedSliceOptionsT())
    file.operator(_BUILTIN.STRIDED_SLICE, [shape, *part], sides, options)
    factors = file.constant(f"{name}/factors", np.array(node.resizing.factors, np.int32))
    file.operator(_BUILTIN.MUL, [sides, factors], size, (_OPTIONS.MulOptions, schema.MulOptionsT()))
    return size


MOVES: dict[Operation, Writer] = {
    Operation.PAD: _pad,
    Operation.RESHAPE: _reshape,
    Operation.TRANSPOSE: _transpose,
    Operation.CONCATENATE: _concatenate,
    Operation.SLICE: _slice,
    Operation.BROADCAST: _broadcast,
    Operation.RESIZE_NEAREST: _resize,
    Operation.RESIZE_BILINEAR: _resize,
}
