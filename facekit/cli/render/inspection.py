"""What is in a model file, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facekit.cli.render.table import labeled

if TYPE_CHECKING:
    from facekit.graph.inspect.network import Tensor
    from facekit.model.inspect import ModelInspection
    from facekit.tasks.inspect import Inspection


def print_inspection(inspection: Inspection) -> None:
    inspected = inspection.model
    macs, card = inspected.macs, inspected.card
    operators = ", ".join(f"{name} {count}" for name, count in inspected.histogram.items())
    lines = [
        ("file", str(inspected.path)),
        ("size", f"{inspected.size_bytes / 1e6:.2f} MB"),
        *(("input", _tensor_text(tensor)) for tensor in inspected.inputs),
        *(("output", _tensor_text(tensor)) for tensor in inspected.outputs),
        ("operators", f"{len(inspected.operators)}: {operators}"),
        ("parameters", _parameters_text(inspected)),
        (
            "MACs",
            f"{macs.total:,}: {macs.weighted:,} in convolutions and fully connected layers, "
            f"{macs.pooling:,} in pooling windows"
            if macs
            else "unknown: an input side has no fixed size, or the operators are compiled",
        ),
        ("card", f"{card.name}:{card.variant}, which matches the file" if card else "none"),
    ]
    if card is not None and card.npu_milliseconds is not None:
        lines.append(("estimate", f"{card.npu_milliseconds:.2f} ms on the NPU, by Vela"))
    if inspection.verify_ms is not None:
        what = "two detections and two embeddings"
        lines.append(("verify", f"{inspection.verify_ms:.2f} ms on the NPU for {what}"))
    click.echo("\n".join(labeled(lines)))


def _tensor_text(tensor: Tensor) -> str:
    shape = " x ".join("any" if length == -1 else str(length) for length in tensor.shape)
    text = f"{tensor.name}: {tensor.dtype} {shape}"
    if not tensor.scales:
        return text
    return f"{text}, real = {tensor.scales[0]:.9g} * (integer - {tensor.zero_points[0]})"


def _parameters_text(inspected: ModelInspection) -> str:
    in_file, folded = sum(inspected.parameters.values()), inspected.folded_parameters
    kinds = ", ".join(f"{dtype} {count:,}" for dtype, count in inspected.parameters.items())
    text = f"{in_file:,} in the file ({kinds})" if kinds else "0 in the file"
    if not folded:
        return text
    return f"{in_file + folded:,}: {text}, {folded:,} moving means and variances folded into them"
