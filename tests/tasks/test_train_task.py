"""Training as a function: what is asked for becomes a run; the run, a record and files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from facekit.enums import TrainingLoss
from facekit.errors import UsageError
from facekit.tasks.train import NewRun, train
from tests.schemas import require_schema

SMALL = {"embedding_size": 8, "batch_size": 8, "epochs": 2, "steps_per_epoch": 3}


def test_what_is_asked_for_wins_over_the_configuration(tmp_path: Path) -> None:
    new = NewRun(
        data=tmp_path,
        config="small-softmax",
        settings=("epochs=7", "optimizer.rate=0.5"),
        values={"epochs": 9, "loss": "arcface"},
        license="mine",
    )
    request = new.request(tmp_path / "my run!")
    assert (request.config.epochs, request.config.optimizer.rate) == (9, 0.5)
    assert request.config.loss is TrainingLoss.ARCFACE
    assert (request.name, request.license, request.start) == ("my-run", "mine", None)


def test_what_cannot_be_meant_is_said_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    new = NewRun(data=tmp_path, values=SMALL)
    with pytest.raises(UsageError, match=r"settings\.json"):
        train(None, tmp_path)
    with pytest.raises(UsageError, match="flop"):
        train(NewRun(data=tmp_path, settings=("augment.flop=1",)), tmp_path)
    with pytest.raises(UsageError, match="a model of the registry"):
        train(new, tmp_path, install="facenet512-casia")
    with pytest.raises(UsageError, match="go together"):
        train(new, tmp_path, workers_at=("a:1", "b:2"))


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Path]:
    from facekit.graph.nets import designs
    from tests.networks.tiny_training import DESIGNS, write_people

    with pytest.MonkeyPatch.context() as patch:
        for architecture, design in DESIGNS.items():
            patch.setitem(designs.DESIGNS, architecture, design)
        yield write_people(tmp_path / "people")


@pytest.mark.tensorflow
def test_a_run_that_is_stopped_goes_on_and_its_model_goes_into_the_store(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.model.store import find

    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    output = tmp_path / "run"
    new = NewRun(data=people, values=SMALL)
    stopped = train(new, output, install="own", should_stop=lambda: True)
    assert stopped.interrupted
    assert (stopped.model, stopped.installed) == (None, None)
    assert stopped.to_dict()["step_count"] == 1

    done = train(None, output, install="own")
    assert not done.interrupted
    assert done.model == output / "own_float32.tflite"
    assert done.installed == find("own").path
    with pytest.raises(UsageError, match=r"already \(float32\).*--force"):
        train(None, output, install="own")
    told = json.loads(json.dumps(done.to_dict()))
    require_schema("train", {**told, "resume": None})
    assert (told["step_count"], told["people_count"], told["photo_count"]) == (6, 4, 32)
    assert told["model_sha256"] == find("own").card.file_sha256
    assert len(repr(done)) < 200 + len(str(output))
