"""The tasks about the store as functions: what they return is the JSON of their commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.errors import ModelMissingError, UsageError
from facekit.model.store import models_folder
from facekit.tasks import doctor, model_list, models
from facekit.tasks.build import ModelFiles, build, ensure_installed, fetch
from facekit.tasks.bundle import bundle
from facekit.tasks.import_model import import_model, import_options
from facekit.tasks.inspect import inspect
from tests.model.made_up_model import write_model, write_network
from tests.told import Told

NETS = ("pnet", "rnet", "onet")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a detector and a model that the registry does not know."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    for net in NETS:
        write_model(models_folder() / "mtcnn", "mtcnn", net)
    for variant in ("float32", "int8"):
        write_model(models_folder() / "toy", "toy", variant)
    return models_folder()


def printed(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    payload: dict[str, Any] = json.loads(result.stdout)
    assert payload.pop("schema_version") == 1
    return payload


def test_models_are_listed_as_the_command_lists_them(store: Path) -> None:
    listed = model_list.list_models()
    assert {model.name: model.stored for model in listed.models if model.stored} == {
        "mtcnn": ("onet", "pnet", "rnet"),
        "toy": ("float32", "int8"),
    }
    assert [model.name for model in listed.models if model.is_default] == ["facenet512-casia"]
    assert model_list.known_names()[-1] == "toy"
    assert listed.to_dict() == printed("models", "list")


@pytest.mark.parametrize("name", ["mtcnn", "toy", "facenet512"])
def test_what_is_known_of_a_model(name: str) -> None:
    known = models.info(name)
    assert (known.entry is None) == (name == "toy")
    assert len(known.cards) == {"mtcnn": 3, "toy": 2, "facenet512": 0}[name]
    assert known.to_dict() == printed("models", "info", name)


def test_every_file_is_checked(store: Path) -> None:
    assert not models.verify().errors
    assert models.verify().to_dict() == printed("models", "verify")
    (store / "toy" / "toy_int8.tflite").write_bytes(b"damaged bytes")
    checked = models.verify("toy")
    assert checked.errors
    assert [bool(file.error) for file in checked.files] == [False, True]
    assert checked.to_dict() == printed("models", "verify", "toy")
    with pytest.raises(ModelMissingError):
        models.verify("nobody")


def test_models_are_exported_imported_and_removed(store: Path, tmp_path: Path) -> None:
    for variant in ("float32", "int8"):
        write_network(store / "toy", "toy", variant)
    archive = models.export(["toy"], tmp_path / "toy.tar")
    assert [one.card.variant for one in archive.models] == ["float32", "int8"]
    found = models.path("toy")
    assert found == ModelFiles("toy", (store / "toy" / "toy_float32.tflite",))
    assert found.to_dict() == printed("models", "path", "toy")
    gone = models.remove("toy")
    assert [path.name for path in gone.paths] == [one.path.name for one in archive.models]
    with pytest.raises(ModelMissingError):
        models.remove("toy")
    told = Told()
    imported = import_model(archive.output, reporter=told)
    assert imported.paths == gone.paths
    assert imported.to_dict() == printed("models", "import", archive.output)
    with pytest.raises(UsageError, match="is an archive"):
        import_model(archive.output, options=import_options(license="MIT"))


def test_only_models_of_the_registry_are_fetched_and_built() -> None:
    for task in (fetch, build):
        with pytest.raises(ModelMissingError, match="No model is called 'toy'"):
            task("toy")
    assert ensure_installed("toy").card.name == "toy"


def test_a_file_is_inspected_as_by_the_command(data: Path) -> None:
    path = data / "tiny" / "int8.tflite"
    inspected = inspect(path)
    assert inspected.model.parameters == {"int8": 368, "int32": 26}
    assert inspected.to_dict() == printed("inspect", path)


def test_a_bundle_is_made_as_by_the_command(tmp_path: Path) -> None:
    wheel = tmp_path / "facekit_cli-9.9-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    told = Told()
    output = tmp_path / "toy.tar"
    made = bundle("toy", target="cpu", output=output, wheel=wheel, reporter=told)
    assert told.notes == [f"writing {output}"]
    arguments = ("bundle", "toy", "--target", "cpu", "-o", output, "--wheel", wheel, "--force")
    assert made.to_dict() == printed(*arguments)


def test_the_doctors_report() -> None:
    report = doctor.examine()
    assert [model.size_bytes is not None for model in report.models.files] == [True] * 5
    assert all(model.error for model in report.models.files)  # files that are no networks
    returned, shown = report.to_dict(), printed("doctor")
    for payload in (returned, shown):
        payload["store"].pop("free_bytes")
    assert returned == shown
