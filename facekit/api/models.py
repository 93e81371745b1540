"""Lists, fetches, builds, checks and moves the models on this machine, from Python."""

from __future__ import annotations

from facekit.tasks.build import build, fetch
from facekit.tasks.import_model import import_model, import_options
from facekit.tasks.model_card import card, card_draft
from facekit.tasks.model_list import list_models
from facekit.tasks.models import export, info, key, path, remove, verify

__all__ = [
    "build",
    "card",
    "card_draft",
    "export",
    "fetch",
    "import_model",
    "import_options",
    "info",
    "key",
    "list_models",
    "path",
    "remove",
    "verify",
]
