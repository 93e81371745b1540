"""Configurations: those that ship, one's own, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.enums import Architecture, TrainingLoss
from facekit.errors import UsageError
from facekit.system.configs import TOML_SUFFIX, config_names
from facekit.training.config import OptimizerConfig, ScheduleName
from facekit.training.config_file import config_from, parse_change, read_config


@pytest.mark.parametrize("name", config_names("train", suffix=TOML_SUFFIX))
def test_shipped_configurations_are_valid_and_survive_json(name: str) -> None:
    config = read_config(name, {})
    assert config_from(config.to_dict(), {}, origin="JSON") == config


def test_sphereface_s_is_for_its_net() -> None:
    config = read_config("sphereface-a-softmax", {"epochs": 2, "optimizer.rate": 1})
    assert (config.architecture, config.loss) == (Architecture.SPHEREFACE20, TrainingLoss.A_SOFTMAX)
    assert (config.epochs, config.optimizer.rate) == (2, 1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochz = 3", "unknown keys epochz"),
        ("[optimizer]\nrat = 3", "unknown keys optimizer.rat"),
        ("epochs = 3.5", "epochs must be an integer"),
        ("epochs = true", "epochs must be an integer"),
        ("epochs = 0", "epochs is out of its range"),
        ("augment = 3", "augment must be a table"),
        ("loss = 'cosine'", "loss must be one of softmax,"),
        ("loss = 'triplet'", "photos_per_person of 2 or more"),
        ("photos_per_person = 4", "batch_size must be a multiple"),
        ("[optimizer]\nrate = nan", "optimizer.rate must be a number"),
        ("[optimizer]\nstep_epochs = [5, 3]", "must rise"),
        ("[optimizer]\nstep_epochs = 5", "must be a list of integers"),
        ("epochs = ", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.toml") as caught:
        read_config(str(path), {})
    assert told in str(caught.value)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(UsageError, match="small-softmax"):
        read_config("smal", {})


def test_changes_are_toml_values() -> None:
    assert parse_change("augment.flip=false") == ("augment.flip", False)
    assert parse_change("optimizer.step_epochs = [1, 2]") == ("optimizer.step_epochs", [1, 2])
    assert parse_change("loss=arcface") == ("loss", "arcface")
    assert parse_change(f"loss={'[' * 20_000}") == ("loss", "[" * 20_000)
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_change("epochs")


def _rates(steps: range, **changes: object) -> list[float]:
    config = OptimizerConfig(rate=1.0, **changes)  # type: ignore[arg-type]
    return [config.rate_at(step, steps_per_epoch=10, epochs=4) for step in steps]


def test_the_step_schedule_falls_to_a_tenth_at_each_step() -> None:
    found = _rates(range(0, 40, 10), schedule=ScheduleName.STEP, step_epochs=(1, 3))
    assert found == pytest.approx([1, 0.1, 0.1, 0.01])


def test_cosine_schedule_starts_at_the_rate_is_half_way_half_way_and_ends_low() -> None:
    found = _rates(range(0, 41, 20), schedule=ScheduleName.COSINE, final_share=0.0)
    assert found == pytest.approx([1.0, 0.5, 0.0])


def test_warm_up_rises_to_the_rate() -> None:
    found = _rates(range(6), schedule=ScheduleName.CONSTANT, warmup_epochs=0.4)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
