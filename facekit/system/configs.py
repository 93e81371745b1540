"""The files of configs/ by name, in a checkout and in an installation; a user's own by its path."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.system.extras import require
from facekit.system.suggest import did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / "configs"
"""Beside the package in a checkout, within it where it is installed (see setup.py)."""

TOML_SUFFIX = ".toml"


def config_names(folder: str, *, suffix: str) -> tuple[str, ...]:
    """The names of the files in configs/`folder` that end in `suffix`, sorted."""
    return tuple(sorted(path.stem for path in (CONFIGS / folder).glob(f"*{suffix}")))


def config_path(name_or_path: str, folder: str, *, suffix: str, title: str) -> Path:
    """The file of configs/`folder` that is called so, or the path of a user's own.

    A name that ends in `suffix` is a path, and is not looked for.  Raises UsageError where no
    file is called so; it lists those that are, and calls one of them a `title`.
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
    """The file that `config_path` finds, and its tables.

    Raises UsageError where there is none or it is not TOML, MissingExtraError as `parse_toml`.
    """
    path = config_path(name_or_path, folder, suffix=TOML_SUFFIX, title=title)
    try:
        return path, parse_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{title.capitalize()} {path} cannot be read: {error}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML document.

    Raises ValueError for text that is not TOML, and MissingExtraError with Python 3.10, whose
    standard library does not read it, where the package tomli is not installed.
    """
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        tomllib = require("tomli", extra="", needed_for="Reading TOML with Python 3.10")
    return dict(tomllib.loads(text))
