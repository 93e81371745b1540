"""The one place that imports the onnx package, which reads and writes the format."""

from __future__ import annotations

from facekit.errors import MissingExtraError

try:
    import onnx
except ModuleNotFoundError as error:
    if error.name != "onnx":
        raise
    raise MissingExtraError("onnx", extra="host", needed_for="Making an .onnx file") from error

__all__ = ["onnx"]
