"""facekit inspect: what is in a model file, and the card beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.errors import ModelMismatchError
from facekit.model.card import Task
from facekit.model.inspect import ModelInspection, inspect_model
from facekit.model.store import load_checked


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model file, and what one verify with it and a detector takes on an NPU."""

    model: ModelInspection
    verify_ms: float | None = None
    """two detections and two embeddings, by Vela's estimate; None where no detector was named"""

    @property
    def estimate_ms(self) -> float | None:
        """Of one inference, by Vela's estimate; None for a file that it has not compiled."""
        card = self.model.card
        return None if card is None else card.npu_milliseconds

    def to_dict(self) -> dict[str, Any]:
        estimates = {"estimate_ms": self.estimate_ms, "verify_ms": self.verify_ms}
        return {**self.model.to_dict(), **estimates}


def inspect(path: Path, *, detector: Path | None = None) -> Inspection:
    """Reads the .tflite or .onnx file at `path`; whether the card is right is told, not raised.

    detector: a detector's file that Vela has compiled, where `path` is an embedding model's.
    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is not sound or not
    compiled, AcceleratorError or MissingExtraError where what knows the format is not installed.
    """
    inspection = Inspection(inspect_model(path))
    if detector is None:
        return inspection
    card = load_checked(detector).card
    own, other = inspection.estimate_ms, card.npu_milliseconds
    is_embedding = inspection.model.card and inspection.model.card.task is Task.EMBEDDING
    if own is None or other is None or not is_embedding or card.task is not Task.DETECTION:
        raise ModelMismatchError(
            "The time of one verify needs an embedding model and a detector, both compiled by "
            f"Vela and with their cards. Received: {path} and {detector}"
        )
    return Inspection(inspection.model, 2 * (own + other))
