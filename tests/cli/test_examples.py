"""Examples of the help pages that take a moment are run as they stand."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import cli
from facekit.cli.command import Command

PHOTOS = {
    "a.jpg": "obama.jpg",
    "b.jpg": "obama2.jpg",
    "c.jpg": "biden.jpg",
    "ada1.jpg": "obama.jpg",
    "ada2.jpg": "obama2.jpg",
    "somebody.jpg": "obama.jpg",
    "group.jpg": "biden.jpg",
    "photos/one.jpg": "obama.jpg",
    "photos/two.jpg": "biden.jpg",
}
"""What the examples call photos, and which of the tests' photos stand for them."""

RUN = (
    *("verify", "compare", "detect", "quality", "embed", "enroll", "identify", "gallery list"),
    *("gallery show", "gallery stats", "gallery check", "gallery export", "gallery remove"),
    *("cluster", "models list", "models info", "models path", "models export", "models verify"),
    *("serve-stdin", "config list", "config show", "doctor", "completion", "help"),
)
"""Commands whose first example is run, in an order in which each finds what it needs.

None of them changes a model.
"""


@pytest.mark.model
def test_first_examples_run_as_they_stand(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, photo in PHOTOS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(data / photo, tmp_path / name)
    requests = "".join(json.dumps({"detect": name}) + "\n" for name in ("a.jpg", "b.jpg"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEKIT_GALLERY", str(tmp_path / "gallery.db"))
    commands = {" ".join(words): command for words, command in every_command().items()}
    for name in RUN:
        command = commands[name]
        assert isinstance(command, Command)
        program, *arguments = shlex.split(command.explanation.examples[0].partition(" <")[0])
        assert program == "facekit"
        result = CliRunner().invoke(cli, arguments, input=requests)
        assert result.exit_code == 0, f"{arguments}: {result.output}"
        assert result.stdout
