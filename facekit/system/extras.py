"""Optional packages, each loaded when it is first needed, or the pip command that brings it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from facekit.errors import MissingExtraError

EXTRAS = {
    "convert": ("ai_edge_quantizer", "ethosu", "onnx", "onnxruntime", "h5py"),
    "train": ("tensorflow", "keras"),
    "plot": ("matplotlib",),
    "onnx": ("onnxruntime",),
}
"""Import names that stand for an extra"""

_DISTRIBUTIONS = {"ai_edge_quantizer": "ai-edge-quantizer", "ethosu": "ethos-u-vela"}
"""What pip calls a package whose import name is another"""


def require(module: str, *, extra: str, needed_for: str) -> Any:
    """The imported module, e.g. "sklearn.metrics".

    `extra`: "" for what the base brings, which an install without its dependencies lacks.
    Raises MissingExtraError, which names the command that installs it.  A package that
    is there and fails to import raises its own ImportError: installing it again would not help.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == package:
            raise _missing(package, extra, needed_for) from error
        raise


def require_installed(package: str, *, extra: str, needed_for: str) -> None:
    """As `require`, without the seconds that importing the package takes."""
    if not is_installed(package):
        raise _missing(package, extra, needed_for)


def is_installed(package: str) -> bool:
    """Whether Python would find the package "tensorflow"; it is not imported."""
    return importlib.util.find_spec(package) is not None


def _missing(package: str, extra: str, needed_for: str) -> MissingExtraError:
    distribution = _DISTRIBUTIONS.get(package, package)
    return MissingExtraError(distribution, extra=extra, needed_for=needed_for)
