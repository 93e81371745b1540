"""Whole runs of a tiny network: result, resume, kill, interrupt, replicas."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import InputError, ModelBuildError, ModelMismatchError, UsageError
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.training import checkpoint
from facekit.training.curve import CURVE_NAME, read_curve
from facekit.training.request import require_no_run
from tests.networks.tiny_training import run_tiny, write_people

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]


def _start(*arguments: str | Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.networks.tiny_training", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _state(folder: Path) -> dict[str, np.ndarray]:
    with np.load(checkpoint.saved(folder / "checkpoints")[-1]) as file:
        return {name: file[name] for name in file.files}


def _same_state(a: Path, b: Path) -> bool:
    one, other = _state(a), _state(b)
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("loss", ["softmax+center", "a-softmax", "arcface", "triplet"])
def test_every_loss_learns(people: Path, tmp_path: Path, loss: str) -> None:
    """20 steps to begin with and 20 more, after which nobody new is mistaken for another.

    With seeds 5, 6 and 7 all photos are told apart, and the second loss is at most 0.4 of the
    first.
    """
    asked = iter([False] * 39 + [True])  # of 60, so that nothing is converted
    changes: dict[str, Any] = {"losses.arc_scale": 16.0, "losses.lambda_start": 10.0}
    if loss == "triplet":
        changes["photos_per_person"] = 2
    trained = run_tiny(
        people,
        tmp_path / "run",
        loss=loss,
        held_out=0.25,
        should_stop=lambda: next(asked),
        epochs=3,
        steps_per_epoch=20,
        dropout=0.0,
        **{"optimizer.name": "adam", **changes},
    )
    assert trained.loop.figures["held_out_accuracy"] == 1.0  # by chance 0.25
    curve = [line for line in read_curve(tmp_path / "run" / CURVE_NAME) if "epoch_loss" in line]
    assert curve[-1]["epoch_loss"] < 0.6 * curve[0]["epoch_loss"]


def test_the_result_is_a_model_with_a_card(people: Path, whole: Path) -> None:
    model = find(whole / "tiny_float32.tflite")
    assert (model.card.embedding_size, model.card.crop and model.card.crop.margin_px) == (8, 3.0)
    assert "32 photos of 4 people" in model.card.source.title
    picture = np.zeros((1, 16, 16, 3), np.float32)
    assert LiteRtNet(model.path).run(picture)[0].shape == (1, 8)
    curve = read_curve(whole / CURVE_NAME)
    assert [line["step"] for line in curve if "loss" in line] == list(range(1, 13))
    assert len(list((whole / "tensorboard").glob("events*"))) == 1
    assert len(checkpoint.saved(whole / "checkpoints")) == 3, "the last few are kept"


def test_an_interrupted_run_is_resumed_to_the_bit(
    people: Path, whole: Path, tmp_path: Path
) -> None:
    """Stopped after 5 of 12 steps, in mid-epoch; with dropout, momentum and moving statistics.

    In between it is asked to go on with other photos, which it does not.
    """
    asked = iter([False] * 4 + [True])
    stopped = run_tiny(people, tmp_path / "run", should_stop=lambda: next(asked))
    assert (stopped.loop.interrupted, stopped.loop.step, stopped.model) == (True, 5, None)
    with pytest.raises(InputError, match="not those that"):
        run_tiny(write_people(tmp_path / "people", photos=9), tmp_path / "run", resume=True)
    run_tiny(people, tmp_path / "run", resume=True)
    assert read_curve(tmp_path / "run" / CURVE_NAME) == read_curve(whole / CURVE_NAME)
    assert _same_state(whole, tmp_path / "run")
    models = [(folder / "tiny_float32.tflite").read_bytes() for folder in (whole, tmp_path / "run")]
    assert models[0] == models[1]


def test_another_seed_gives_another_run(people: Path, whole: Path, tmp_path: Path) -> None:
    run_tiny(people, tmp_path / "run", seed=6, should_stop=lambda: True)
    first = [read_curve(folder / CURVE_NAME)[0]["loss"] for folder in (whole, tmp_path / "run")]
    assert first[0] != first[1]


def test_a_run_that_dies_is_resumed_to_the_bit(people: Path, whole: Path, tmp_path: Path) -> None:
    """In step 8 of 12: after it, all but the checkpoint of step 6 is gone."""
    steps = iter(range(1, 9))

    def dies() -> bool:
        if next(steps) == 8:
            raise MemoryError
        return False

    folder = tmp_path / "run"
    with pytest.raises(MemoryError):
        run_tiny(people, folder, should_stop=dies)
    assert checkpoint.saved(folder / "checkpoints")[-1].stem == "step-000000006"
    run_tiny(people, folder, resume=True)
    assert read_curve(folder / CURVE_NAME) == read_curve(whole / CURVE_NAME)
    assert _same_state(whole, folder)


@pytest.mark.slow
def test_a_killed_run_is_resumed_to_the_bit(people: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with _start(people, folder) as process:
        deadline = time.monotonic() + 120
        # 6 of 12 steps: in the middle of the second epoch
        while not any(
            path.stem >= "step-000000006" for path in checkpoint.saved(folder / "checkpoints")
        ):
            assert process.poll() is None or checkpoint.saved(folder / "checkpoints"), (
                process.stdout
            )
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert not (folder / "tiny_float32.tflite").exists()
    assert checkpoint.saved(folder / "checkpoints")[-1].stem < "step-000000012"
    run_tiny(people, folder, resume=True)
    assert read_curve(folder / CURVE_NAME) == read_curve(whole / CURVE_NAME)
    assert _same_state(whole, folder)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_two_processes_train_as_one_does(people: Path, tmp_path: Path) -> None:
    """Batch norms are synchronized, so only the order of additions differs: 1e-4 of each weight."""
    changes: dict[str, Any] = {"dropout": 0.0, "loss": "softmax+center", "epochs": 1}
    run_tiny(people, tmp_path / "one", **changes)
    at = ",".join(f"127.0.0.1:{port}" for port in _free_ports(2))
    settings = [f"{name}={value}" for name, value in changes.items()]
    processes = [
        _start(people, tmp_path / "two", "--cluster", at, index, *settings)
        for index in map(str, range(2))
    ]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    one, two = (read_curve(tmp_path / name / CURVE_NAME) for name in ("one", "two"))
    assert [line["loss"] for line in two if "loss" in line] == pytest.approx(
        [line["loss"] for line in one if "loss" in line], abs=1e-5
    )
    weights = [dict(np.load(tmp_path / f"worker{index}.npz")) for index in range(2)]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    alone, together = _state(tmp_path / "one"), _state(tmp_path / "two")
    for name, value in alone.items():
        assert together[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.slow
def test_two_devices_of_one_process_train_as_one_does(people: Path, tmp_path: Path) -> None:
    """In a process of its own: a CPU is cut in two before TensorFlow is used."""
    script = (
        "import sys, tensorflow as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration("
        "cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "from pathlib import Path\n"
        "from tests.networks.tiny_training import run_tiny\n"
        "run_tiny(Path(sys.argv[1]), Path(sys.argv[2]), devices=['CPU:0', 'CPU:1'], "
        "dropout=0.0, epochs=1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", script, str(people), str(tmp_path / "two")],
        env=environment,
        check=True,
        capture_output=True,
    )
    run_tiny(people, tmp_path / "one", dropout=0.0, epochs=1)
    one, two = (read_curve(tmp_path / name / CURVE_NAME) for name in ("one", "two"))
    assert [line.get("loss") for line in two] == pytest.approx(
        [line.get("loss") for line in one], abs=1e-5
    )


def test_one_device_that_is_named_is_the_one_that_computes() -> None:
    """In a process of its own, as above."""
    script = (
        "import tensorflow as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration("
        "cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "from facekit.training.devices import open_replicas\n"
        "replicas = open_replicas(devices=['CPU:1'])\n"
        "assert replicas.count == replicas.local == 1\n"
        "print(replicas.strategy.run(lambda: tf.constant(1.0)).device)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip().endswith("CPU:1")


def test_a_folder_with_a_run_is_written_over_by_force_alone(whole: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        require_no_run(whole, force=False)
    require_no_run(whole, force=True)


def test_nothing_to_resume(people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no settings\.json"):
        run_tiny(people, tmp_path, resume=True)


def test_settings_of_another_facekit_are_refused(people: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(UsageError, match="schema_version"):
        run_tiny(people, tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_run(people: Path, tmp_path: Path) -> None:
    wild: dict[str, Any] = {"optimizer.rate": 1e30}
    with pytest.raises(ModelBuildError, match="diverged"):
        run_tiny(people, tmp_path / "run", **wild)


@pytest.mark.parametrize(
    "precision", [pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"]
)
def test_mixed_precision_trains_and_gives_a_float32_file(
    people: Path, tmp_path: Path, precision: str
) -> None:
    changes: dict[str, Any] = {"epochs": 3, "dropout": 0.0, "optimizer.name": "adam"}
    trained = run_tiny(people, tmp_path / "run", precision=precision, **changes)
    curve = [
        line["epoch_loss"]
        for line in read_curve(tmp_path / "run" / CURVE_NAME)
        if "epoch_loss" in line
    ]
    assert curve[-1] < 0.8 * curve[0]
    assert trained.model is not None
    assert LiteRtNet(trained.model.path).inputs[0].dtype == "float32"


def test_a_damaged_checkpoint_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "step-000000004.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(ModelMismatchError, match="step-000000004"):
        checkpoint.restore(path, {})
    np.savez(path, step=np.array(4), other=np.zeros(3))
    with pytest.raises(ModelMismatchError, match="other"):
        checkpoint.restore(path, {})
