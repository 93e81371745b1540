"""Where the browser of the tests with the marker `browser` is, and how it is started."""

from __future__ import annotations

import shutil

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""None where there is none; tests with the marker are then skipped (tests/conftest.py)."""
HOW_TO_GET_IT = "no Chromium on the PATH: apt-get install chromium"
FLAGS = (
    "--no-sandbox",  # which root would need
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
