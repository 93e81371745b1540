"""Which model is meant where none is named: by the environment, the user's file, or facekit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

import facekit
from facekit.cli import cli
from facekit.errors import ModelMissingError, UsageError
from facekit.model.defaults import BUILT_IN, DefaultModel, default_model, model_or_default
from facekit.tasks.doctor import examine
from tests.first_commands import OF_THE_DEFAULT_MODEL, prepare

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    return tmp_path / "home"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file's path, in a folder that exists."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "facekit").mkdir()
    return tmp_path / "facekit" / "config.toml"


def test_it_is_facekits_own_where_nobody_says_otherwise() -> None:
    assert default_model() == DefaultModel("facenet512-casia", BUILT_IN)


def test_the_environment_comes_before_the_file_and_the_file_before_facekits_own(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('model = "sface"\n')
    assert default_model() == DefaultModel("sface", str(config))
    monkeypatch.setenv("FACEKIT_MODEL", "facenet512:int8")
    assert default_model() == DefaultModel("facenet512:int8", "FACEKIT_MODEL")
    assert model_or_default("mtcnn") == "mtcnn"


@pytest.mark.parametrize("path", ["mine/a.tflite", "a.onnx"])
def test_a_models_file_is_looked_for_beside_the_configuration(path: str, config: Path) -> None:
    config.write_text(f'model = "{path}"')
    assert default_model().model == str(config.parent / path)


@pytest.mark.parametrize("text", ["", "# nothing is set\n"])
def test_a_file_that_sets_nothing_changes_nothing(text: str, config: Path) -> None:
    config.write_text(text)
    assert default_model().origin == BUILT_IN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# mine\nmodel =\n", r"config\.toml cannot be read as a configuration: .*line 2"),
        ('# mine\n\nmodle = "sface"\n', r"config\.toml, line 3: there is no setting 'modle'"),
        ("\nmodel = 3\n", r"config\.toml, line 2: model must be a name.*Received: 3"),
        ("[model]\nname = 'sface'\n", r"config\.toml, line 1: model must be a name"),
        ('"a model" = 1\n', r"config\.toml, line 1: there is no setting 'a model'"),
        ('"mod\\u0065l" = 1\n', r"config\.toml, line 1: model must be a name"),
        ("model = " + "[\n" * 20_000, r"config\.toml cannot be read .* it is nested too deeply"),
    ],
)
def test_a_malformed_file_is_told_by_file_and_line(text: str, message: str, config: Path) -> None:
    config.write_text(text)
    with pytest.raises(UsageError, match=message):
        default_model()
    result = CliRunner().invoke(cli, ["verify", "a.jpg", "b.jpg"])
    assert result.exit_code == 2
    assert "config.toml" in result.stderr
    assert CliRunner().invoke(cli, ["models", "info", "sface"]).exit_code == 0


def test_bytes_that_are_no_text_are_told(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        default_model()


def test_a_pipe_is_told_at_once(config: Path) -> None:
    os.mkfifo(config)
    with pytest.raises(UsageError, match=r"config\.toml is a pipe"):
        default_model()


def test_a_name_that_nobody_knows_is_told_with_who_asks_for_it(config: Path) -> None:
    config.write_text('model = "sfaec"')
    with pytest.raises(ModelMissingError, match=r"config\.toml makes 'sfaec' the default.*sface"):
        default_model()
    report = examine()
    assert report.models.default is None
    assert [problem.exit_code for problem in report.problems] == [5]


@pytest.mark.parametrize("words", OF_THE_DEFAULT_MODEL, ids=" ".join)
def test_every_command_that_is_given_no_model_takes_the_default(
    words: tuple[str, ...], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the name that it asks for in vain."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, data)
    monkeypatch.setenv("FACEKIT_MODEL", "nobodys")
    result = CliRunner().invoke(cli, [*words, *OF_THE_DEFAULT_MODEL[words].split()])
    assert "FACEKIT_MODEL makes 'nobodys' the default" in result.stderr
    assert result.exit_code == 5


def test_python_takes_the_same_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEKIT_MODEL", "sface")
    with pytest.raises(ModelMissingError, match="Model sface is not in"):
        facekit.load()


def test_doctor_says_which_it_is_and_who_says_so(config: Path) -> None:
    config.write_text('model = "sface"')
    words = CliRunner().invoke(cli, ["doctor"]).stdout.split()  # lines are wrapped
    assert f"default sface set by {config}" in " ".join(words)
