"""Fine-tuning: a new head on weights that exist, then the whole net at a share of its rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.training import checkpoint
from facekit.training.curve import CURVE_NAME, read_curve
from facekit.training.keras_net import keras_net
from tests.networks.tiny_training import DESIGNS, SIDE_PX, run_tiny, write_people

pytestmark = pytest.mark.tensorflow

USUAL: dict[str, Any] = {
    "loss": "arcface",
    "losses.arc_scale": 16.0,
    "dropout": 0.0,
    "keep_checkpoints": 9,
    "checkpoint_steps": 0,
    "optimiser.weight_decay": 0.0,
}


@pytest.fixture(scope="module")
def start(whole: Path) -> Path:
    """A model that was trained before, on other people; its file has folded batch norms."""
    return whole / "tiny_float32.tflite"


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("others"), people=8, photos=4)


@pytest.fixture(scope="module")
def tuned(others: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three epochs the first trains the head alone, the others the net at half its rate."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    changes: dict[str, Any] = {"finetune.head_epochs": 1, "finetune.net_rate_share": 0.5,
               "optimiser.name": "adam", "steps_per_epoch": 20, "optimiser.rate": 0.02}  # fmt: skip
    run_tiny(others, folder, start=start, epochs=3, **USUAL, **changes)
    return folder


def _nets(folder: Path) -> list[dict[str, np.ndarray]]:
    """The net's variables by name, of every checkpoint."""
    found = []
    for path in checkpoint.saved(folder / "checkpoints"):
        with np.load(path) as file:
            found.append({name: file[name] for name in file.files if name.startswith("net/")})
    return found


def _answer(path: Path) -> np.ndarray:
    picture = np.random.default_rng(0).normal(size=(1, SIDE_PX, SIDE_PX, 3)).astype(np.float32)
    return np.asarray(LiteRtNet(path).run(picture)[0][0])


def test_head_epochs_leave_the_net_alone_and_the_others_move_it(tuned: Path) -> None:
    after_head, second, third = _nets(tuned)
    kernels = [name for name in after_head if name.endswith("kernel")]
    assert len(kernels) == 3
    for name in kernels:
        assert not np.array_equal(after_head[name], second[name]), name
        assert not np.array_equal(second[name], third[name]), name


def test_frozen_batch_norms_stay_as_they_came(tuned: Path) -> None:
    first, *_others, last = _nets(tuned)
    norms = [name for name in first if "norm" in name]
    assert len(norms) == 6  # beta, moving mean, moving variance of two
    for name in norms:
        assert np.array_equal(first[name], last[name]), name


def test_head_epochs_keep_what_the_model_was(start: Path, tuned: Path) -> None:
    after_head = _nets(tuned)[0]
    model = keras_net(find(start), designs=DESIGNS)
    assert len(after_head) == len(model.variables)
    for name, value in after_head.items():
        (own,) = (one for one in model.variables if name.endswith(f"/{one.path}"))
        assert np.array_equal(value, own.numpy()), name


def test_the_whole_net_learns_and_says_what_it_came_from(start: Path, tuned: Path) -> None:
    losses = [line["epoch_loss"] for line in read_curve(tuned / CURVE_NAME) if "epoch_loss" in line]
    # with seeds 5 and 6: 0.7 of what the head alone comes to
    assert losses[2] < 0.85 * losses[0], losses
    model = find(tuned / "tiny_float32.tflite")
    assert find(start).card.file_sha256 in model.card.source.title
    assert np.abs(_answer(model.path) - _answer(start)).max() > 1e-3


def test_the_net_s_rate_is_a_share_of_the_head_s(
    others: Path, start: Path, tuned: Path, tmp_path: Path
) -> None:
    """One step of plain SGD: a tenth of the share moves the kernels a tenth as far."""
    before = _nets(tuned)[0]  # after the head's epoch: the model's own
    moved = {}
    for share in (0.1, 0.01):
        folder = tmp_path / str(share)
        changes: dict[str, Any] = {"finetune.net_rate_share": share, "optimiser.momentum": 0.0}
        run_tiny(others, folder, start=start, should_stop=lambda: True, **USUAL, **changes)
        (after,) = _nets(folder)
        moved[share] = {name: after[name] - before[name] for name in before if "kernel" in name}
    for name, far in moved[0.1].items():
        assert np.abs(far).max() > 1e-5
        assert moved[0.01][name] == pytest.approx(far / 10, abs=1e-6), name
