"""Imports optional packages when they are first needed, or names the pip command for them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from facekit.errors import MissingExtraError

EXTRAS = {
    "convert": ("ai_edge_quantizer", "ethosu", "onnx", "onnxruntime", "h5py"),
    "train": ("tensorflow", "keras"),
    "evaluate": ("sklearn", "scipy", "PIL"),
    "plot": ("matplotlib",),
    "encrypt": ("cryptography",),
    "ann": ("usearch", "numkong"),
    "postgres": ("psycopg",),
    "ray": ("ray",),
    "onnx": ("onnxruntime",),
    "watch": ("watchdog",),
    "serve": ("uvicorn", "starlette", "python_multipart", "prometheus_client"),
}
"""Import names that stand for an extra."""

_DISTRIBUTIONS = {
    "ai_edge_quantizer": "ai-edge-quantizer",
    "ethosu": "ethos-u-vela",
    "python_multipart": "python-multipart",
}
"""Names that pip has for packages with another import name."""


def require(module: str, *, extra: str, needed_for: str) -> Any:
    """Imports and returns the module, e.g. "sklearn.metrics".

    `extra`: the extra that installs it; "" for a package of the base, which an installation without
    dependencies may lack.  Raises MissingExtraError, which names the pip command.  A package that
    is installed but fails to import raises its own ImportError, because installing would not help.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == package:
            raise _missing(package, extra, needed_for) from error
        raise


def require_installed(package: str, *, extra: str, needed_for: str) -> None:
    """Checks like `require`, but does not import the package, which may take seconds."""
    if not is_installed(package):
        raise _missing(package, extra, needed_for)


def is_installed(package: str) -> bool:
    """Whether the package could be imported; it is not imported."""
    return importlib.util.find_spec(package) is not None


def _missing(package: str, extra: str, needed_for: str) -> MissingExtraError:
    distribution = _DISTRIBUTIONS.get(package, package)
    return MissingExtraError(distribution, extra=extra, needed_for=needed_for)
