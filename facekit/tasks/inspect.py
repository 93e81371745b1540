"""facekit inspect: what is in a model file, and the card beside it."""

from __future__ import annotations

from pathlib import Path

from facekit.model.inspect import ModelInspection, inspect_model


def inspect(path: Path) -> ModelInspection:
    """Reads the .tflite or .onnx file at `path`; whether the card is right is told, not raised.

    Raises ModelMissingError, StorageError, ModelMismatchError for a file that is not sound,
    AcceleratorError or MissingExtraError where what knows the format is not installed.
    """
    return inspect_model(path)
