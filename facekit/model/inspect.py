"""Inspects a model file: tensors, operators, parameters, multiply-accumulates, and its card."""

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
from facekit.model.trial import require_opens
from facekit.model.variants import KERAS_SUFFIX, ONNX_SUFFIX


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ModelInspection:
    """The network of a model file, and the card beside the file."""

    path: Path
    sha256: str
    size_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...] = field(repr=False)
    """The operators in execution order."""
    parameters: dict[str, int]
    """Number of elements of trained constants by dtype, without indices, shapes and axes."""
    folded_parameters: int
    """Number of further parameters of the source network, which conversion folded."""
    macs: Macs | None
    """The multiply-accumulates of one inference, for one photo if the batch is dynamic.

    None if another dimension is dynamic, or if Vela has compiled the file.
    """
    card: Card | None = field(repr=False)
    card_problem: str
    """The reason why the file has no usable card; "" if the card describes the file."""

    @property
    def histogram(self) -> dict[str, int]:
        """Number of operators of each kind, the most frequent kind first."""
        return dict(Counter(operator.name for operator in self.operators).most_common())

    @property
    def has_wrong_card(self) -> bool:
        """Whether a card exists that does not describe this file."""
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
"""Number of parameters of the source network that the file does not have, by architecture.

These are the moving mean and variance of each of 14,800 normalized channels, which are folded into
kernels and biases.
"""


def inspect_model(path: Path) -> ModelInspection:
    """Returns a description of a .tflite, .onnx or .keras file, and of the card beside it.

    The description of a .keras file is that of the LiteRT file converted from it.
    Raises ModelMissingError if the file does not exist, StorageError if it cannot be read,
    ModelMismatchError if it is not valid, and AcceleratorError or MissingExtraError if the package
    that reads the format is not installed.  Raises ModelBuildError if a .keras file cannot be
    read or converted.
    """
    if path.suffix == KERAS_SUFFIX:
        network = _of_keras(path)
    else:
        require_opens(path)
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
    from facekit.graph.read.keras_archive import read_keras  # needed by .keras files only
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
