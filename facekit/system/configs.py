"""Finds the files of configs/ by name, in a checkout and in an installation, or by a path."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.system.extras import require
from facekit.system.inputs import InputKind, read_input, reading
from facekit.system.suggest import did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / "configs"
"""configs/ lies beside the package in a checkout and within it in an installation (see
setup.py)."""

TOML_SUFFIX = ".toml"
_SETTINGS = InputKind("a target, or options in TOML", UsageError, max_bytes=100_000)
_LONGEST_LINE = 1_000


def config_names(folder: str, *, suffix: str) -> tuple[str, ...]:
    """Returns the names of the files in configs/`folder` that end in `suffix`, sorted."""
    return tuple(sorted(path.stem for path in (CONFIGS / folder).glob(f"*{suffix}")))


def config_path(name_or_path: str, folder: str, *, suffix: str, title: str) -> Path:
    """Returns the path of the file in configs/`folder` with this name, or the user's own path.

    A name that ends in `suffix` is a path and is returned as it is.  Raises UsageError for an
    unknown name; the message lists the known names of what it calls a `title`.
    """
    if name_or_path.endswith(suffix):
        return Path(name_or_path)
    names = config_names(folder, suffix=suffix)
    if name_or_path not in names:
        raise UsageError(
            f"No {title} is called {name_or_path!r}.{did_you_mean(name_or_path, names)} Known: "
            f"{', '.join(names) or 'none'}; or pass a {suffix} file of your own."
        )
    return CONFIGS / folder / f"{name_or_path}{suffix}"


def read_toml(name_or_path: str, folder: str, *, title: str) -> tuple[Path, dict[str, Any]]:
    """Returns the file that `config_path` finds, and its tables.

    Raises UsageError if there is none or it is not TOML, MissingExtraError as `parse_toml`.
    """
    path = config_path(name_or_path, folder, suffix=TOML_SUFFIX, title=title)
    kind = replace(_SETTINGS, noun=f"a {title}")
    with reading(kind, path):
        return path, parse_toml(read_input(path, kind).decode())


def parse_toml(text: str) -> dict[str, Any]:
    """Returns the tables of a TOML document.

    Raises ValueError for text that is not TOML or has a line of more than 1,000 characters, because
    the time for a dotted key rises with the square of its length; RecursionError for deep nesting;
    MissingExtraError on Python 3.10 without the package tomli, because the standard library reads
    TOML from 3.11 on.
    """
    if any(len(line) > _LONGEST_LINE for line in text.splitlines()):
        raise ValueError(f"it has a line of more than {_LONGEST_LINE:,} characters")
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        tomllib = require("tomli", extra="", needed_for="Reading TOML with Python 3.10")
    return dict(tomllib.loads(text))
