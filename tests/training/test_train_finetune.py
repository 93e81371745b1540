"""Fine-tuning: a new head on weights that exist, then the whole net at a share of its rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.conversion.import_weights import source_sha256
from facekit.errors import UsageError
from facekit.graph.graph import Graph, Operation
from facekit.graph.read.litert import read_litert_graph
from facekit.graph.weights import FreshWeights, initial
from facekit.graph.write.onnx import to_onnx
from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.training import checkpoint
from facekit.training.curve import CURVE_NAME, read_curve
from facekit.training.keras_graph import to_keras
from tests.networks.tiny_training import SIDE_PX, run_tiny, tiny_net, write_people

pytestmark = pytest.mark.tensorflow

USUAL: dict[str, Any] = {
    "loss": "arcface",
    "losses.arc_scale": 16.0,
    "dropout": 0.0,
    "keep_checkpoints": 9,
    "checkpoint_steps": 0,
    "optimizer.weight_decay": 0.0,
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
               "optimizer.name": "adam", "steps_per_epoch": 20, "optimizer.rate": 0.02}  # fmt: skip
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


def test_head_epochs_keep_what_the_model_was(start: Path, tuned: Path) -> None:
    after_head = _nets(tuned)[0]
    kernels = {name: value for name, value in after_head.items() if name.endswith("kernel")}
    for node in read_litert_graph(start, name="tiny").nodes:
        if node.weights:
            kernel = next(
                value for value in kernels.values() if value.shape == node.weights["kernel"].shape
            )
            np.testing.assert_array_equal(kernel, node.weights["kernel"])


@pytest.fixture
def checkpoint_file(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Graph]:
    """What another system trained, its batch norms with statistics of their own; and a model of
    the store that was made of it, whose card says how it is fed."""
    random = np.random.default_rng(9)

    def trained(_: Any, name: str, shape: tuple[int, ...]) -> Any:
        least = 0.5 if name.endswith("variance") else -0.5
        return random.uniform(least, least + 1, shape)

    graph = tiny_net(FreshWeights(trained, seed=0), embedding_size=8)
    path = tmp_path / "theirs.keras"
    to_keras(graph).save(path)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    card = find(start).card
    card = replace(card, name="theirs", file_name="theirs_float32.tflite",
                   source=replace(card.source, sha256=source_sha256(path)))  # fmt: skip
    folder = tmp_path / "home" / "models" / "theirs"
    folder.mkdir(parents=True)
    (folder / card.file_name).write_bytes(start.read_bytes())
    (folder / "theirs_float32.json").write_text(card.to_json())
    return path, graph


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("frozen", [True, False])
def test_training_goes_on_with_the_statistics_of_an_imported_file(
    others: Path, checkpoint_file: tuple[Path, Graph], tmp_path: Path, frozen: bool
) -> None:
    path, graph = checkpoint_file
    folder = tmp_path / "run"
    changes: dict[str, Any] = {"finetune.head_epochs": 1, "finetune.freeze_batch_norm": frozen,
                               "steps_per_epoch": 3, "optimizer.rate": 0.02}  # fmt: skip
    run_tiny(others, folder, start=path, epochs=2, **USUAL, **changes)
    first, last = _nets(folder)
    norms = [node for node in graph.nodes if node.operation is Operation.BATCH_NORM]
    for index, node in enumerate(norms):
        for role, leaf in (
            ("beta", "beta"),
            ("mean", "moving_mean"),
            ("variance", "moving_variance"),
        ):
            (name,) = [one for one in first if one.endswith(f"/norm{index}/{leaf}")]
            np.testing.assert_array_equal(first[name], node.weights[role])
            assert np.array_equal(last[name], first[name]) == frozen, name
    title = find(folder / "tiny_float32.tflite").card.source.title
    assert f"from theirs:float32 (theirs.keras, sha256 {source_sha256(path)})" in title


def test_a_file_that_nothing_says_how_to_feed(tmp_path: Path, others: Path) -> None:
    path = tmp_path / "unknown.onnx"
    graph = tiny_net(FreshWeights(initial, seed=0), embedding_size=8)
    path.write_bytes(to_onnx(graph).model.SerializeToString())
    with pytest.raises(UsageError, match=r"Import it first.*models import .*unknown\.onnx --as"):
        run_tiny(others, tmp_path / "run", start=path, **USUAL)


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
        changes: dict[str, Any] = {"finetune.net_rate_share": share, "optimizer.momentum": 0.0}
        run_tiny(others, folder, start=start, should_stop=lambda: True, **USUAL, **changes)
        (after,) = _nets(folder)
        moved[share] = {name: after[name] - before[name] for name in before if "kernel" in name}
    for name, far in moved[0.1].items():
        assert np.abs(far).max() > 1e-5
        assert moved[0.01][name] == pytest.approx(far / 10, abs=1e-6), name
