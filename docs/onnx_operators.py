"""The table of known ONNX operators; imported by the cog block in docs/onnx.md."""

from __future__ import annotations

from collections.abc import Iterable

import cog

from facekit.graph.read.onnx_constants import CONSTANTS
from facekit.graph.read.onnx_layers import LAYERS
from facekit.graph.read.onnx_moves import MOVES
from facekit.graph.read.onnx_numbers import NUMBERS
from facekit.graph.read.onnx_resize import RESIZES

_ROWS: dict[str, Iterable[str]] = {
    "layers and pools": LAYERS,
    "numbers": NUMBERS,
    "shapes and sides": MOVES,
    "resizing": RESIZES,
    "of constants": CONSTANTS,
}


def table() -> None:
    """Writes it."""
    cog.outl("| | operators |")
    cog.outl("| --- | --- |")
    for what, operators in _ROWS.items():
        cog.outl(f"| {what} | {', '.join(f'`{one}`' for one in sorted(operators))} |")
