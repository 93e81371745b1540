"""A pipe that is given for a file is refused: opening it would wait for a writer without end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

import pytest
from click.testing import CliRunner

from facekit.cli import cli

pytestmark = pytest.mark.model

COMMANDS = {
    "verify pipe.jpg {photo}": 4,
    "verify pipe.npz {photo}": 4,
    "verify pipe.csv {photo}": 4,
    "verify pipe.jsonl {photo}": 4,
    "verify --pairs pipe.csv": 4,
    "verify --model pipe.onnx {photo} {photo}": 5,
    "verify --bundle pipe {photo} {photo}": 5,
    "detect pipe.jpg": 4,
    "enroll Ada pipe.jpg --gallery made.db": 4,
    "enroll Ada {photo} --gallery pipe": 7,
    "gallery list --gallery pipe": 7,
    "gallery import pipe --gallery made.db": 4,
    "gallery init --gallery new.db --encrypt --key-file pipe": 2,
    "track pipe.mp4": 4,
    "models import pipe": 5,
    "models import pipe --as mine": 5,
    "models import pipe.onnx --as mine": 5,
    "models card pipe.onnx": 5,
    "models fetch facenet512 --from-file pipe": 5,
    "inspect pipe.tflite": 5,
    "inspect pipe.onnx": 5,
    "convert pipe.h5 --architecture inception-resnet-v1 -o made": 2,
    "convert sface --int8 --calibration pipe -o made": 4,
    "quantize sface --recipe static_wi8_ai8 --calibration pipe.json -o made.tflite": 4,
    "quantize sface --recipe pipe.json -o made.tflite": 2,
    "quantize sface --recipe dynamic_wi8_afp32 --drift-on pipe -o made.tflite": 4,
    "compile sface --target pipe.toml -o made": 2,
    "compile pipe.tflite --target imx93 -o made": 5,
    "eval-lfw --config pipe.toml": 2,
    "eval-lfw --data {data} --pairs pipe": 4,
    "train --config pipe.toml --data {data} -o made": 2,
    "benchmark --parse-log pipe": 4,
    "benchmark --compare pipe pipe": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a pipe of each name, and a gallery."""
    folder = tmp_path_factory.mktemp("pipes")
    for name in {word for command in COMMANDS for word in command.split() if "pipe" in word}:
        os.mkfifo(folder / name)
    made = CliRunner().invoke(cli, ["gallery", "init", "--gallery", str(folder / "made.db")])
    assert made.exit_code == 0
    return folder


def too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError("it waits for a writer")


@pytest.mark.parametrize("typed", COMMANDS)
def test_a_pipe_is_refused_at_once(
    typed: str, folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words = typed.format(data=data, photo=data / "obama.jpg").split()
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(30)
    try:
        done = CliRunner().invoke(cli, words)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert done.exit_code == COMMANDS[typed], (done.exception, done.stderr)
