"""facekit train, as a user has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.errors import UsageError
from facekit.training.devices import Cluster, cluster_of_environment
from tests.networks.tiny_training import write_people

pytestmark = pytest.mark.tensorflow


def _run(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(cli, ["train", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ("--data", "{data}", "-o", "{out}", "--workers-at", "a:1,b", "--worker-index", "0"),
            2,
            "HOST:PORT",
        ),
        (("--data", "{data}", "-o", "{out}", "--start-from", "nobody"), 5, "No model is called"),
        (("--data", "{data}/nobody", "-o", "{out}", "--batch-size", "4"), 4, "No such file"),
        (("--data", "{data}", "-o", "{out}", "--batch-size", "4"), 4, "160 x 160 pixels is needed"),
    ],
)
def test_what_cannot_be_meant(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    data = write_people(tmp_path / "people", people=2, photos=2)
    out = tmp_path / "out"
    result = _run(*(one.format(data=data, out=out) for one in arguments))
    assert (result.exit_code, told in result.stderr) == (code, True), result.stderr


def test_tf_config_says_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert cluster_of_environment() is None
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}',
    )
    assert cluster_of_environment() == Cluster(("a:1", "b:2"), 1)
    for wrong in ("{", '{"cluster": {"worker": ["a:1"], "ps": ["b:2"]}, "task": {}}'):
        monkeypatch.setenv("TF_CONFIG", wrong)
        with pytest.raises(UsageError, match="TF_CONFIG"):
            cluster_of_environment()
    with pytest.raises(UsageError, match="0 to 1"):
        Cluster(("a:1", "b:2"), 2)


@pytest.mark.slow
@pytest.mark.model
def test_fine_tuning_begins_with_the_model_s_own_embeddings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the head alone trained, the net that comes out is the one that went in."""
    from facekit.model.store import find
    from facekit.runtime.litert import LiteRtNet

    start = find("facenet512-casia").path
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    data = write_people(tmp_path / "people", people=2, photos=2, side_px=160)
    result = _run(
        "--data", data, "--start-from", start, "--epochs", 1, "--batch-size", 2,
        "--setting", "finetune.head_epochs=1", "-o", tmp_path / "run", "--install", "own",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert Path(result.stdout.strip()) == find("own").path
    picture = np.random.default_rng(0).normal(size=(1, 160, 160, 3)).astype(np.float32)
    before, after = (
        LiteRtNet(path).run(picture)[0][0]
        for path in (start, tmp_path / "run" / "run_float32.tflite")
    )
    assert find("own").path.read_bytes() == (tmp_path / "run/run_float32.tflite").read_bytes()
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert cosine > 0.99999
