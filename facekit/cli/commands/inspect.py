"""facekit inspect"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import json_option

if TYPE_CHECKING:
    from facekit.graph.inspect.network import Tensor
    from facekit.model.inspect import ModelInspection


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def inspect_command(model: Path, as_json: bool) -> None:
    """Show a .tflite or .onnx file's inputs, outputs, operators, parameters, MACs and card.

    Exit code 5 for a file that is damaged or not as the card beside it says.

    \b
    Example: facekit inspect facenet512_int8.tflite
             facekit inspect --json facenet512.onnx
    """
    from facekit.cli.render.output import emit_json, note
    from facekit.errors import ModelMismatchError
    from facekit.model.inspect import inspect_model

    inspected = inspect_model(model)
    if as_json:
        emit_json(_payload(inspected))
    else:
        _print(inspected)
    if inspected.has_wrong_card:
        note(f"error: {inspected.card_problem}")
        raise SystemExit(ModelMismatchError.exit_code)


def _payload(inspected: ModelInspection) -> dict[str, Any]:
    macs, card = inspected.macs, inspected.card
    in_file = sum(inspected.parameters.values())
    return {
        "path": str(inspected.path),
        "size_bytes": inspected.size_bytes,
        "inputs": [_tensor_payload(tensor) for tensor in inspected.inputs],
        "outputs": [_tensor_payload(tensor) for tensor in inspected.outputs],
        "operators": inspected.histogram,
        "compiled_by_vela": inspected.is_compiled_by_vela,
        "parameters": {
            "in_file": in_file,
            "by_dtype": inspected.parameters,
            "folded_away": inspected.folded_parameters,
            "total": in_file + inspected.folded_parameters,
        },
        "macs": macs and {"total": macs.total, **asdict(macs)},
        "card": card and {"name": card.name, "variant": card.variant, "sha256": card.file_sha256},
        "card_problem": inspected.card_problem or None,
    }


def _tensor_payload(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def _print(inspected: ModelInspection) -> None:
    macs, card = inspected.macs, inspected.card
    operators = ", ".join(f"{name} {count}" for name, count in inspected.histogram.items())
    lines = [
        ("file", f"{inspected.path}  {inspected.size_bytes / 1e6:.2f} MB"),
        *(("input", _tensor_text(tensor)) for tensor in inspected.inputs),
        *(("output", _tensor_text(tensor)) for tensor in inspected.outputs),
        ("operators", f"{len(inspected.operators)}: {operators}"),
        ("parameters", _parameters_text(inspected)),
        (
            "MACs",
            f"{macs.total:,}: {macs.weighted:,} in convolutions and fully connected layers, "
            f"{macs.pooling:,} in pooling windows"
            if macs
            else "not known: a side is open, or the operators are compiled",
        ),
        ("card", f"{card.name}:{card.variant}, file as it says" if card else "none"),
    ]
    for label, text in lines:
        click.echo(f"{label:12}{text}")


def _tensor_text(tensor: Tensor) -> str:
    sides = " x ".join("any" if side == -1 else str(side) for side in tensor.shape)
    text = f"{tensor.name}  {tensor.dtype} {sides}"
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
