"""Lists the names of known and stored models, from the names of files alone.

This module must import quickly, because a shell completes names while they are typed.
"""

from __future__ import annotations

from pathlib import Path

from facekit.model.variants import MODEL_SUFFIXES
from facekit.system.home import home

CARD_SUFFIX = ".json"
BUNDLE_MANIFEST = "bundle.json"
"""File in the folder of an unpacked bundle, beside the folder models."""
DEFAULT_MODEL = "facenet512-casia"
REGISTRY = Path(__file__).with_name("registry")
"""Folder with a file <name>.json for each model that facekit knows by name."""


def known_names() -> tuple[str, ...]:
    """Returns the names of the registry's models: the default model first, the others sorted."""
    found = (path.stem for path in REGISTRY.glob(f"*{CARD_SUFFIX}"))
    return tuple(sorted(found, key=lambda name: (name != DEFAULT_MODEL, name)))


def models_folder() -> Path:
    return home() / "models"


def sources_folder(name: str) -> Path:
    return home() / "sources" / name


def stored_names() -> tuple[str, ...]:
    """Returns the names of all models in the store that have a file or a card, sorted."""
    folders = sorted(path for path in entries(models_folder()) if not path.name.startswith("."))
    return tuple(path.name for path in folders if stored_variants(path.name))


def stored_variants(name: str) -> tuple[str, ...]:
    """Returns the variants of a model in the store that have a file or a card, sorted."""
    stems = {
        path.stem.removeprefix(f"{name}_")
        for path in entries(models_folder() / name)
        if path.suffix in (*MODEL_SUFFIXES, CARD_SUFFIX) and path.name.startswith(f"{name}_")
    }
    return tuple(sorted(stems))


def entries(folder: Path) -> tuple[Path, ...]:
    """Returns the paths in a folder; () if the folder does not exist."""
    return tuple(folder.iterdir()) if folder.is_dir() else ()
