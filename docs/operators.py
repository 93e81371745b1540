"""The tables of docs/reference/operators.md, for its cog blocks: which operators are read."""

from __future__ import annotations

from collections.abc import Iterable

import cog

from facekit.graph.read import (
    litert_moves,
    litert_operators,
    onnx_constants,
    onnx_elementwise,
    onnx_layers,
    onnx_moves,
    onnx_resize,
)

_ONNX: dict[str, Iterable[str]] = {
    "layers and pools": onnx_layers.LAYER_READERS,
    "elementwise and reductions": onnx_elementwise.ELEMENTWISE_READERS,
    "data movement": onnx_moves.DATA_MOVEMENT_READERS,
    "resizing": onnx_resize.RESIZE_READERS,
    "of constants": onnx_constants.CONSTANT_FOLDERS,
}
_LITERT: dict[str, Iterable[str]] = {
    "layers, elementwise, reductions": litert_operators.COMPUTE_READERS,
    "data movement": litert_moves.DATA_MOVEMENT_READERS,
    "of constants, and of shapes computed at run time": litert_moves.CONSTANT_FOLDERS,
}


def onnx_table() -> None:
    """Writes what is read of an ONNX file."""
    _write(_ONNX)


def litert_table() -> None:
    """Writes what is read of a LiteRT file."""
    _write(_LITERT)


def _write(rows: dict[str, Iterable[str]]) -> None:
    cog.outl("| | operators |")
    cog.outl("| --- | --- |")
    for what, operators in rows.items():
        cog.outl(f"| {what} | {', '.join(f'`{one}`' for one in sorted(operators))} |")
