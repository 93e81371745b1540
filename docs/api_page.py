"""The page of what `import facekit` offers; mkdocstrings fills in signatures and docstrings."""

from __future__ import annotations

import enum
import inspect
from types import ModuleType
from typing import Any

import facekit

_KINDS = {
    "Functions": "Each does what the command of its name does.",
    "Classes": "What the functions take and return.",
    "Words": "What can be chosen; a function takes the word as text too.",
    "Errors": "Every error is a `FacekitError` and carries the exit code of the shell.",
}


def api_page() -> str:
    """Markdown with a line for mkdocstrings for each public name."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    for name in sorted(facekit.__all__):
        value = getattr(facekit, name)
        if isinstance(value, ModuleType):
            inner = {f"{name}.{one}": getattr(value, one) for one in value.__all__}
            found["Functions"].update(inner)
        elif kind := _kind(value):
            found[kind][name] = value
    lines = ["# The names in Python", "", "What `import facekit` offers, from the docstrings.", ""]
    for kind, what in _KINDS.items():
        lines += [f"## {kind}", "", what, ""]
        for name, value in found[kind].items():
            lines += [f"::: {value.__module__}.{value.__qualname__}"]
            lines += ["    options:", f"      heading: {name}", f"      toc_label: {name}", ""]
    return "\n".join(lines)


def _kind(value: object) -> str | None:
    if inspect.isfunction(value):
        return "Functions"
    if not inspect.isclass(value):
        return None
    if issubclass(value, BaseException):
        return "Errors"
    return "Words" if issubclass(value, enum.Enum) else "Classes"
