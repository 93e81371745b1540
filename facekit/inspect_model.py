"""What is in a model file: tensors, operators, parameters, multiply-accumulates, and its card."""

from __future__ import annotations

from pathlib import Path

from facekit.errors import ModelMismatchError
from facekit.inspect_litert import inspect_litert
from facekit.inspect_onnx import inspect_onnx
from facekit.inspection import ModelInspection
from facekit.models.card import Card
from facekit.models.store import CARD_SUFFIX, load_checked
from facekit.models.variants import ONNX_SUFFIX

_FOLDED_AWAY = {"inception-resnet-v1": 29_600}
"""Parameters of the graph that its file has no place for, by the card's architecture: moving
mean and variance of each of 14,800 normalised channels, folded into kernels and biases."""


def inspect_model(path: Path) -> ModelInspection:
    """Reads a .tflite or .onnx file.

    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is not sound,
    AcceleratorError or MissingExtraError where what knows the format is not installed.
    """
    network = inspect_onnx(path) if path.suffix == ONNX_SUFFIX else inspect_litert(path)
    if not network.operators:
        raise ModelMismatchError(f"{path} has no operators: it is not a network.")
    card, card_problem = _card(path)
    return ModelInspection(
        path=path,
        size_bytes=path.stat().st_size,
        inputs=network.inputs,
        outputs=network.outputs,
        operators=network.operators,
        parameters=network.parameters,
        folded_parameters=_FOLDED_AWAY.get(card.architecture, 0) if card else 0,
        macs=network.macs,
        card=card,
        card_problem=card_problem,
    )


def _card(path: Path) -> tuple[Card | None, str]:
    if not path.with_suffix(CARD_SUFFIX).exists():
        return None, f"no card {path.with_suffix(CARD_SUFFIX).name} beside the file"
    try:
        return load_checked(path, read_all=True).card, ""
    except ModelMismatchError as error:
        return None, str(error)
