"""--config: what is in the file, what is typed beside it, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.cli.commands.benchmark import benchmark
from facekit.cli.commands.evaluate import eval_lfw
from facekit.cli.config_option import config_option
from facekit.enums import Profile


@click.command()
@config_option("benchmark")
@click.option("--model", "models", multiple=True, default=("default",))
@click.option("--batch", type=int, default=1)
@click.option("--fast", is_flag=True)
def probe(models: tuple[str, ...], batch: int, fast: bool) -> None:
    click.echo(f"{models} {batch} {fast}")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('model = ["a", "b"]\nbatch = 64\nfast = true\n')
    return path


def output(*arguments: str | Path) -> str:
    result = CliRunner().invoke(probe, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_values_of_the_file_and_those_that_are_typed(config: Path) -> None:
    assert output() == "('default',) 1 False"
    assert output("--config", config) == "('a', 'b') 64 True"
    assert output("--batch", "2", "--config", config) == "('a', 'b') 2 True"
    assert output("--config", config, "--model", "c") == "('c',) 64 True"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("color = 1", "has no option color"),
        ("config = 'ixrt'", "has no option config"),
        ("batch = ", "cannot be read"),
        ("batch = 'many'", "'many' is not a valid int"),
    ],
)
def test_a_file_that_is_wrong(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    result = CliRunner().invoke(cli, ["benchmark", "--config", str(path)])
    if "valid int" in said:
        assert result.exit_code == 2
        return
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_name_that_is_none() -> None:
    result = CliRunner().invoke(cli, ["eval-lfw", "--config", "nothing"])
    assert result.exit_code == 2
    assert "Known: ixrt; or pass a .toml file" in result.stderr


def test_the_files_that_ship_fit_their_commands() -> None:
    """As click reads them, without running anything."""
    for command in (benchmark, eval_lfw):
        with command.make_context(command.name, ["--config", "ixrt"]) as ctx:
            models = ctx.params["models"]
            assert models == tuple(
                f"facenet512-casia:onnx-{precision}" for precision in ("fp32", "fp16", "int8")
            )
            if command is benchmark:
                assert ctx.params["stages"] == ("embed",)
                assert ctx.params["batch"] == (64,)
            else:
                assert ctx.params["profile"] is Profile.VASTAI
                assert ctx.params["assert_accuracy"] == 0.98
