"""Where facekit keeps its files."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Returns FACEKIT_HOME, or the platform's cache folder for facekit; it need not exist."""
    if given := os.environ.get("FACEKIT_HOME"):
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("facekit", appauthor=False)
