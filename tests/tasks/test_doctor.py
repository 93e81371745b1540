"""The report of facekit doctor, on caches and library folders made for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.model import store
from facekit.tasks import doctor
from facekit.version import __version__
from tests.schemas import require_schema


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache" / "facekit"
    monkeypatch.setenv("FACEKIT_HOME", str(home))
    return home


@pytest.fixture
def no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"train": ("no_such_package",), "plot": ("click",)})


@pytest.mark.usefixtures("empty_home", "no_extras")
def test_missing_models_are_no_problem_where_they_can_be_built() -> None:
    """Which takes no extra."""
    report = doctor.examine()
    assert report.extras == {"train": False, "plot": True}
    assert not report.models
    assert report.to_build == ("facenet512-casia", "mtcnn")
    assert report.problems == ()
    assert CliRunner().invoke(cli, ["doctor"]).exit_code == 0


def test_looking_makes_no_folder(empty_home: Path) -> None:
    store = doctor.examine().store
    assert store is not None
    assert store.path == empty_home
    assert store.writable
    assert store.free_bytes > 0
    assert not empty_home.parent.exists()


def test_a_store_below_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file" / "facekit"))
    store = doctor.examine().store
    assert store is not None
    assert not store.writable


@pytest.mark.model
def test_built_models_are_listed_and_the_light_commands_can_work() -> None:
    report = doctor.examine()
    assert {model.model for model in report.models} >= {
        "facenet512-casia:float32",
        *(f"mtcnn:{net}" for net in ("pnet", "rnet", "onet")),
    }
    assert all(model.path.is_file() and model.size_bytes for model in report.models)
    assert report.problems == ()


@pytest.mark.usefixtures("no_extras")
def test_a_damaged_model_is_a_problem_that_names_it(empty_home: Path) -> None:
    for net in ("pnet", "rnet", "onet"):
        path = empty_home / "models" / "mtcnn" / f"mtcnn_{net}.tflite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"damaged")
    report = doctor.examine()
    assert all(model.error and model.size_bytes is None for model in report.models)
    assert len(report.models) == 3
    assert "mtcnn_onet" in str(report.problems[0])
    assert report.problems[0].exit_code == 5


def test_delegates_are_found_where_boards_keep_them(tmp_path: Path) -> None:
    (tmp_path / "libvx_delegate.so").touch()
    (tmp_path / "libother.so").touch()
    (found,) = doctor.examine(library_folders=(tmp_path / "absent", tmp_path)).delegates
    assert found.path == tmp_path / "libvx_delegate.so"
    assert "8M Plus" in found.accelerator


def test_a_runtime_that_is_not_there_exits_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEKIT_RUNTIME", "tflite_runtime")
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    report = doctor.examine()
    assert report.runtime == ""
    assert report.problems[0].exit_code == 6


@pytest.mark.parametrize("package", ["numpy", "cv2"])
def test_a_package_that_does_not_load_exits_5(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    report = doctor.examine()
    assert report.versions[package] == ""
    require_schema("doctor", report.to_dict())
    assert str(report.problems[0]).startswith(f"{package} cannot be imported: ")
    assert report.problems[0].exit_code == 5


@pytest.fixture
def home_below_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that nothing can be built into."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file" / "home"))


@pytest.mark.usefixtures("home_below_a_file", "no_extras")
def test_json_is_an_object_with_all_of_it() -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    payload = json.loads(result.stdout)
    require_schema("doctor", payload)
    assert result.exit_code != 0
    assert payload["versions"]["facekit"] == __version__
    assert payload["store"]["path"] == str(store.home())
    assert payload["problems"]


@pytest.mark.usefixtures("home_below_a_file", "no_extras")
def test_text_says_what_is_wrong_and_what_to_do() -> None:
    result = CliRunner().invoke(cli, ["doctor"])
    assert f"facekit {__version__}" in result.stdout
    assert "extra      train: not installed" in result.stdout
    assert "problem    Model facenet512-casia is not in" in result.stdout
