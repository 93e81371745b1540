"""Who may read what commands write: the table of docs/explanation/security.md."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli

pytestmark = pytest.mark.model


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """A process whose umask lets everybody read and write what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_to_all")
def test_templates_and_plots_are_their_owners_alone_whatever_the_umask(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a, b = str(data / "obama.jpg"), str(data / "obama2.jpg")
    for words in (
        ("enroll", "Ada", a, "--gallery", "people.db"),
        ("identify", b, "--gallery", "people.db"),
        ("gallery", "export", "--gallery", "people.db", "-o", "people.jsonl"),
        *(("embed", a, "-o", f"faces.{suffix}") for suffix in ("npz", "csv", "jsonl")),
        ("verify", a, b, "--plot", "pair.png"),
    ):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {"people.db", "people.jsonl", "faces.npz", "faces.csv", "pair.png"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.usefixtures("open_to_all")
def test_drawings_and_crops_are_as_the_umask_says(data: Path, tmp_path: Path) -> None:
    photo, drawn, crops = str(data / "obama.jpg"), tmp_path / "drawn", tmp_path / "crops"
    words = ["detect", photo, "--draw", str(drawn), "--save-crops", str(crops)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    modes = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.*")]
    assert modes == [0o666, 0o666]
