"""Optional packages, each loaded when it is first needed, or the pip command that brings it."""

from __future__ import annotations

import importlib
from typing import Any

from facekit.errors import MissingExtraError


def require(module: str, *, extra: str, needed_for: str) -> Any:
    """The imported module, e.g. "sklearn.metrics".

    Raises MissingExtraError, which names the command that installs `extra`.  A package that is
    there and fails to import raises its own ImportError: installing it again would not help.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == package:
            raise MissingExtraError(package, extra=extra, needed_for=needed_for) from error
        raise
