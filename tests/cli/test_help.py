"""Every command explains itself, with an example that can be typed."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import COMMANDS, cli

ALL = every_command()
ALWAYS_JSON = {("serve-stdin",)}


def help_of(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_front_page_lists_every_command_in_order() -> None:
    listed = re.findall(r"^  ([a-z-]+)  ", help_of(()).partition("Commands:")[2], re.MULTILINE)
    assert listed == list(COMMANDS)


def test_no_command_is_an_error_that_shows_the_front_page() -> None:
    result = CliRunner().invoke(cli, [], prog_name="facekit")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: facekit [OPTIONS] COMMAND [ARGS]..." in result.stderr


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_says_what_the_command_does_and_gives_an_example(words: tuple[str, ...]) -> None:
    text = help_of(words)
    assert re.search(r"^  [A-Z]\w+.*[.?]", text, re.MULTILINE), "no sentence"
    assert "Example: facekit " in text


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_examples_in_help_can_be_parsed(words: tuple[str, ...]) -> None:
    """Each example line is parsed, not run: its commands and options exist."""
    for line in re.findall(r"^ *(?:Example:)? *facekit (.+)$", help_of(words), re.MULTILINE):
        arguments = shlex.split(
            line.partition(" #")[0].partition(" | ")[0].partition(" > ")[0].partition(" < ")[0]
        )
        depth = next(
            (count for count in range(len(arguments), 0, -1) if tuple(arguments[:count]) in ALL), 0
        )
        assert depth, f"{line}: no such command"
        ALL[tuple(arguments[:depth])].make_context("facekit", list(arguments[depth:]))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    for parameter in ALL[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts[0]} of {' '.join(words)}"


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_that_reports_has_json(words: tuple[str, ...]) -> None:
    command = ALL[words]
    if not isinstance(command, click.Group) and words not in ALWAYS_JSON:
        assert "--json" in {name for parameter in command.params for name in parameter.opts}
