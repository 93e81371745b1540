"""facekit inspect: shows the content of a model file and of its card."""

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
    """A model file, and the time on an NPU of one verification with it and a detector."""

    model: ModelInspection
    name: str
    """Path of the file as the caller stated it, or NAME:VARIANT."""
    verify_ms: float | None = None
    """Milliseconds of two detections and two embeddings, estimated by Vela; None without a
    detector."""

    @property
    def estimate_ms(self) -> float | None:
        """Milliseconds of one inference, estimated by Vela; None for a file that Vela has not
        compiled."""
        card = self.model.card
        return None if card is None else card.npu_milliseconds

    def to_dict(self) -> dict[str, Any]:
        estimates = {"estimate_ms": self.estimate_ms, "verify_ms": self.verify_ms}
        return {**self.model.to_dict(), "model": self.name, **estimates}


def inspect(model: str | Path, *, detector: str | Path | None = None) -> Inspection:
    """Reads a .tflite or .onnx file; a wrong card is reported in the result and raises no error.

    `model`: a file, or the name of a stored model; for a detector, its first net is read.
    `detector`: a detector that Vela has compiled, if Vela has also compiled the embedding model
    `model`.
    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is damaged or not
    compiled, and AcceleratorError or MissingExtraError if the package that reads the format is not
    installed.
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
