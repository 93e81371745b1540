"""facekit train: what is refused before TensorFlow is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("-o", "{out}"), 2, "--data is needed"),
        (("--data", "{data}", "-o", "{out}", "--config", "huge"), 2, "small-softmax"),
        (("--data", "{data}", "-o", "{out}", "--setting", "augment.flop=1"), 2, "augment.flop"),
        (("--data", "{data}", "-o", "{out}", "--setting", "augment.flip"), 2, "NAME=VALUE"),
        (("--data", "{data}", "-o", "{out}", "--loss", "triplet"), 2, "photos_per_person"),
        (("--data", "{data}", "-o", "{out}", "--workers-at", "a:1,b:2"), 2, "go together"),
        (("-o", "{out}", "--resume"), 2, "settings.json"),
        (("-o", "{out}", "--resume", "--epochs", "3"), 2, "the run began with"),
        (
            ("--data", "{data}", "-o", "{out}", "--install", "facenet512-casia"),
            2,
            "a model of the registry",
        ),
        (("--data", "{data}", "-o", "{out}", "--install", "a/b"), 2, "letters, digits"),
    ],
)
def test_what_cannot_be_meant(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    given = [one.format(data=tmp_path, out=tmp_path / "out") for one in arguments]
    result = CliRunner().invoke(cli, ["train", *given])
    assert (result.exit_code, told in result.stderr) == (code, True), result.stderr


def test_a_mistake_costs_no_start_of_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from facekit.cli import main\n"
        f"sys.argv = ['facekit', 'train', '-o', {str(tmp_path)!r}, '--resume']\n"
        "try: main()\n"
        "finally: print(sorted({'keras', 'tensorflow'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "[]\n"
