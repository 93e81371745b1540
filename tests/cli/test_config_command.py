"""facekit config: what ships can be listed, printed, and copied for an own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from docs.commands import every_command
from facekit.cli import cli
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.vela.target import read_target
from facekit.enums import ConfigKind
from facekit.system.configs import CONFIGS
from facekit.tasks.config import USED_BY, ShippedConfig, list_configs, show_config
from facekit.training.config_file import read_config
from tests.schemas import require_schema


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["config", *map(str, arguments)])


def told(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    payload: dict[str, Any] = json.loads(result.stdout)
    require_schema(f"config {arguments[0]}", payload)
    return payload


def test_all_that_ships_is_listed_with_a_title() -> None:
    listed = told("list")["configs"]
    files = {(path.parent.name, path.stem) for path in CONFIGS.glob("*/*")}
    assert {(one["kind"], one["name"]) for one in listed} == files
    assert {kind for kind, _ in files} == {kind.value for kind in USED_BY}
    titles = [one["title"] for one in listed]
    assert all(10 < len(title) < 200 for title in titles), titles
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "WHAT"]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("config", list_configs().configs, ids=lambda one: one.full_name)
def test_what_is_shown_is_the_file_and_its_commands_take_a_copy(
    config: ShippedConfig, tmp_path: Path
) -> None:
    name = config.full_name
    assert run("show", name).stdout == config.path.read_text()
    assert told("show", name)["text"] == config.path.read_text()
    copy = tmp_path / f"mine{config.path.suffix}"
    assert show_config(name, output=copy).output == copy
    assert copy.read_bytes() == config.path.read_bytes()
    if config.kind is ConfigKind.RECIPES:
        read_recipe(str(copy))
    elif config.kind is ConfigKind.TARGETS:
        read_target(str(copy))
    elif config.kind is ConfigKind.TRAIN:
        read_config(str(copy), {})
    else:
        command = every_command()[(config.kind.value,)]
        command.make_context(config.kind.value, ["--config", str(copy)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("imx94",), "Nothing is called 'imx94'. Pass one of these: recipes/dynamic"),
        (("ixrt",), "several kinds. Pass one of these: eval-lfw/ixrt, benchmark/ixrt"),
        (("imx93", "-o", "mine.json"), "-o must end in .toml"),
    ],
)
def test_what_cannot_be_shown(arguments: tuple[str, ...], said: str) -> None:
    result = run("show", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
