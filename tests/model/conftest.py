"""A home of its own for every test of the store."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FACEKIT_HOME, not yet there."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FACEKIT_HOME", str(folder))
    return folder
