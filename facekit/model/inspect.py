"""What is in a model file: tensors, operators, parameters, multiply-accumulates, and its card."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facekit.errors import ModelMismatchError
from facekit.graph.inspect.litert import inspect_litert
from facekit.graph.inspect.network import VELA_OPERATOR, Macs, Network, Operator, Tensor
from facekit.graph.inspect.onnx import inspect_onnx
from facekit.model.card import Card
from facekit.model.checksum import sha256_of
from facekit.model.store import CARD_SUFFIX, load_checked
from facekit.model.variants import KERAS_SUFFIX, ONNX_SUFFIX


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ModelInspection:
    """What a model file's network is made of, with the card that stands beside the file."""

    path: Path
    sha256: str
    size_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...] = field(repr=False)
    """in the order in which they run"""
    parameters: dict[str, int]
    """constants that were trained, by dtype; indices, shapes and axes are not among them"""
    folded_parameters: int
    """further parameters of the graph that the file was made from, which conversion folded"""
    macs: Macs | None
    """for one picture where the batch is open; None where another side is, or after Vela"""
    card: Card | None = field(repr=False)
    card_problem: str
    """"" where card and file belong together"""

    @property
    def histogram(self) -> dict[str, int]:
        """How many there are of each operator, the most frequent first."""
        return dict(Counter(operator.name for operator in self.operators).most_common())

    @property
    def has_wrong_card(self) -> bool:
        """A card is there and does not describe this file."""
        return self.card is None and self.path.with_suffix(CARD_SUFFIX).exists()

    @property
    def is_compiled_by_vela(self) -> bool:
        return any(operator.name == VELA_OPERATOR for operator in self.operators)

    def to_dict(self) -> dict[str, Any]:
        macs, card = self.macs, self.card
        in_file = sum(self.parameters.values())
        return {
            "model": str(self.path),
            "model_sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "inputs": [_tensor_dict(tensor) for tensor in self.inputs],
            "outputs": [_tensor_dict(tensor) for tensor in self.outputs],
            "operators": self.histogram,
            "compiled_by_vela": self.is_compiled_by_vela,
            "parameters": {
                "in_file": in_file,
                "by_dtype": self.parameters,
                "folded_away": self.folded_parameters,
                "total": in_file + self.folded_parameters,
            },
            "macs": macs and {"total": macs.total, **asdict(macs)},
            "card": card and {"name": card.name, "variant": card.variant},
            "card_problem": self.card_problem or None,
        }


_FOLDED_AWAY = {"inception-resnet-v1": 29_600}
"""Parameters of the graph that its file has no place for, by the card's architecture: moving
mean and variance of each of 14,800 normalized channels, folded into kernels and biases."""


def inspect_model(path: Path) -> ModelInspection:
    """Reads a .tflite, .onnx or .keras file; of the last, what facekit makes of it for LiteRT.

    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is not sound,
    AcceleratorError or MissingExtraError where what knows the format is not installed.
    """
    if path.suffix == KERAS_SUFFIX:
        network = _of_keras(path)
    else:
        network = inspect_onnx(path) if path.suffix == ONNX_SUFFIX else inspect_litert(path)
    if not network.operators:
        raise ModelMismatchError(f"{path} has no operators: it is not a network.")
    card, card_problem = _card(path)
    return ModelInspection(
        path=path,
        sha256=sha256_of(path),
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


def _of_keras(path: Path) -> Network:
    from facekit.graph.read.keras_archive import read_keras  # what only such a file needs
    from facekit.graph.write.litert import to_litert

    with tempfile.TemporaryDirectory(prefix="facekit-inspect-") as folder:
        made = Path(folder) / "made.tflite"
        made.write_bytes(to_litert(read_keras(path).graph))
        return inspect_litert(made)


def _card(path: Path) -> tuple[Card | None, str]:
    if not path.with_suffix(CARD_SUFFIX).exists():
        return None, f"no card {path.with_suffix(CARD_SUFFIX).name} beside the file"
    try:
        return load_checked(path, read_all=True).card, ""
    except ModelMismatchError as error:
        return None, str(error)


def _tensor_dict(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }
