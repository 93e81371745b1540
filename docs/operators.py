"""The tables of operators that are read, for the cog blocks in docs/reference/operators.md."""

from __future__ import annotations

from collections.abc import Iterable

import cog

from facekit.graph.read.litert_moves import MOVING, OF_CONSTANTS
from facekit.graph.read.litert_operators import CALCULATING
from facekit.graph.read.onnx_constants import CONSTANTS
from facekit.graph.read.onnx_layers import LAYERS
from facekit.graph.read.onnx_moves import MOVES
from facekit.graph.read.onnx_numbers import NUMBERS
from facekit.graph.read.onnx_resize import RESIZES

_ONNX: dict[str, Iterable[str]] = {
    "layers and pools": LAYERS,
    "numbers": NUMBERS,
    "shapes and sides": MOVES,
    "resizing": RESIZES,
    "of constants": CONSTANTS,
}
_LITERT: dict[str, Iterable[str]] = {
    "layers and numbers": CALCULATING,
    "shapes and sides": MOVING,
    "of constants, and of shapes asked for at run time": OF_CONSTANTS,
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
