"""No command writes over what exists unless --force is given, and it refuses before any work."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from docs.commands import every_command
from facekit.cli import cli
from facekit.errors import StorageError
from facekit.model import installation
from facekit.system.files import write_atomically
from tests.model.made_up_model import NETWORK, write_model, write_network

WRITING = {"--output", "--plot", "--draw", "--save-crops", "--copy-to", "--sheets", "--install"}
"""Options that name what a command writes."""

CASES = [
    ("verify --output", "verify --pairs pairs.csv -o there.csv", "there.csv"),
    ("verify --plot", "verify a.jpg b.jpg --plot there.png", "there.png"),
    ("detect --save-crops", "detect a.jpg --save-crops there", "there/old"),
    ("detect --draw", "detect a.jpg --draw there", "there/old"),
    ("embed --output", "embed a.jpg -o there.npz", "there.npz"),
    ("cluster --copy-to", "cluster a.jpg --copy-to there", "there/old"),
    ("cluster --sheets", "cluster a.jpg --sheets there", "there/old"),
    ("track --output", "track video.mp4 -o there.mp4", "there.mp4"),
    ("evaluate --output", "evaluate lfw -o there", "there/report.json"),
    ("eval-lfw --output", "eval-lfw --data lfw -o there", "there/report.json"),
    ("calibrate --output", "calibrate --data lfw -o there.json", "there.json"),
    ("gallery export --output", "gallery export --gallery x.db -o there.jsonl", "there.jsonl"),
    ("models card --output", "models card toy_float32.tflite --draft -o there.json", "there.json"),
    ("models export --output", "models export toy -o there.tar", "there.tar"),
    ("models key --output", "models key -o there.pem", "there.pub"),
    ("train --output", "train --data lfw -o there", "there/checkpoints/step-000000001.npz"),
    ("train --install", "train --data lfw -o run --install toy", "toy"),
    ("convert --output", "convert toy_float32.tflite --int8 -o there", "there/toy_int8.json"),
    ("convert --install", "convert toy_float32.tflite --install toy", "toy:float32"),
    ("quantize --output", "quantize toy_float32.tflite -o there", "there/toy_int8.tflite"),
    ("quantize --plot", "quantize toy_float32.tflite -o new --plot there.png", "there.png"),
    ("export --output", "export toy --format tflite -o there.tflite", "there.json"),
    ("export --install", "export toy --format onnx --install toy", "toy:onnx-fp32"),
    ("benchmark --output", "benchmark -o there", "there/benchmark.txt"),
    ("compile --output", "compile toy_float32.tflite -o there", "there/toy_float32_vela.tflite"),
    ("config show --output", "config show imx93 -o there.toml", "there.toml"),
    ("help --output", "help --man -o there", "there/facekit.1"),
    ("bundle --output", "bundle toy --target cpu -o there.tar", "there.tar"),
]
"""Command and option, how it is typed, and what is there already."""

RESUMING = {"align-dataset --output", "data fetch --output"}
"""These go on with what is there, and write none of it anew."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run: no photo, no network, and no model but a made-up one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    for variant in ("float32", "onnx-fp32"):
        installation.install("toy", partial(write_network, variant=variant))
    write_network(tmp_path)
    return tmp_path


def run(line: str) -> Result:
    return CliRunner().invoke(cli, line.split(), prog_name="facekit")


def test_every_option_that_writes_is_tried() -> None:
    found = {
        f"{' '.join(words)} {option}"
        for words, command in every_command().items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in WRITING.intersection(parameter.opts)
    }
    assert found == {case for case, _, _ in CASES} | RESUMING


@pytest.mark.parametrize(("case", "line", "there"), CASES, ids=[case for case, _, _ in CASES])
def test_what_exists_stays_until_force_is_given(
    folder: Path, case: str, line: str, there: str
) -> None:
    if not line.endswith("--install toy"):
        (folder / there).parent.mkdir(parents=True, exist_ok=True)
        (folder / there).write_text("earlier")
    before = _content(folder)
    refused = run(line)
    assert refused.exit_code == 2, refused.output
    assert there.split("/")[0] in refused.stderr
    assert "--force" in refused.stderr
    assert refused.stdout == ""
    assert _content(folder) == before
    allowed = run(f"{line} --force")
    assert allowed.exit_code != 2, allowed.stderr
    assert "--force" not in allowed.stderr


def _content(folder: Path) -> dict[Path, bytes]:
    """What files hold, but for the memory of which networks ran."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "tried.json")
    return {path: path.read_bytes() for path in files}


def test_an_archive_replaces_no_other_model_unasked(folder: Path) -> None:
    assert run("models export toy -o toy.tar").exit_code == 0
    assert run("models import toy.tar").exit_code == 0, "the very same may come again"
    installation.install("toy", partial(write_model, content=b"another", **NETWORK))
    stored = _content(folder / "home")
    refused = run("models import toy.tar")
    assert (refused.exit_code, "toy:float32 (another file" in refused.stderr) == (2, True)
    assert _content(folder / "home") == stored
    assert run("models import toy.tar --force").exit_code == 0
    assert _content(folder / "home") != stored


def test_a_pipe_is_not_renamed_away(folder: Path) -> None:
    """As /dev/stdout would be, and for root /dev/null."""
    os.mkfifo(folder / "pipe.tar")
    refused = run("models export toy -o pipe.tar --force")
    assert (refused.exit_code, "is a device or a pipe" in refused.stderr) == (2, True)
    assert (folder / "pipe.tar").is_fifo()
    with pytest.raises(StorageError, match="device or a pipe"):
        write_atomically(folder / "pipe.tar", b"x")
    assert (folder / "pipe.tar").is_fifo()
