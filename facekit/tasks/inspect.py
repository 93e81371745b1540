"""facekit inspect: what is in a model file, and the card beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.errors import ModelMismatchError
from facekit.model.card import Task
from facekit.model.inspect import ModelInspection, inspect_model
from facekit.model.store import CARD_SUFFIX, find, paths_of
from facekit.model.variants import MODEL_SUFFIXES


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model file, and what one verify with it and a detector takes on an NPU."""

    model: ModelInspection
    name: str
    """the file's path as it was given, or NAME:VARIANT"""
    verify_ms: float | None = None
    """two detections and two embeddings, by Vela's estimate; None where no detector was named"""

    @property
    def estimate_ms(self) -> float | None:
        """Of one inference, by Vela's estimate; None for a file that it has not compiled."""
        card = self.model.card
        return None if card is None else card.npu_milliseconds

    def to_dict(self) -> dict[str, Any]:
        estimates = {"estimate_ms": self.estimate_ms, "verify_ms": self.verify_ms}
        return {**self.model.to_dict(), "model": self.name, **estimates}


def inspect(model: str | Path, *, detector: str | Path | None = None) -> Inspection:
    """Reads a .tflite or .onnx file; whether its card is right is told, not raised.

    `model`: a file, or a stored model by its name; of a detector the first net.  `detector`: a
    detector that Vela has compiled, where `model` is an embedding model compiled by it.
    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is not sound or not
    compiled, AcceleratorError or MissingExtraError where what knows the format is not installed.
    """
    (path, *_) = paths_of(model)
    found = inspect_model(path)
    name = str(model)
    if found.card is not None and not name.endswith((*MODEL_SUFFIXES, CARD_SUFFIX)):
        name = f"{found.card.name}:{found.card.variant}"
    inspection = Inspection(found, name)
    if detector is None:
        return inspection
    card = find(detector).card
    own, other = inspection.estimate_ms, card.npu_milliseconds
    is_embedding = inspection.model.card and inspection.model.card.task is Task.EMBEDDING
    if own is None or other is None or not is_embedding or card.task is not Task.DETECTION:
        raise ModelMismatchError(
            "The time of one verify needs an embedding model and a detector, both compiled by "
            f"Vela and with their cards. Received: {model} and {detector}"
        )
    return replace(inspection, verify_ms=2 * (own + other))
