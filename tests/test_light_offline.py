"""--offline: whatever could fetch has it, and then fetches nothing and says what to run."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import cli
from facekit.model import download
from tests.first_commands import OF_ANOTHER, OF_THE_DEFAULT_MODEL, prepare
from tests.test_layers import FILES, name_of

COMMANDS = OF_THE_DEFAULT_MODEL | OF_ANOTHER
NETWORK = {
    "facekit.model.download.by_pip",
    "facekit.model.download.by_url",
    "facekit.evaluation.protocols.fetch_lfw.fetch_lfw",
}


def uses() -> dict[str, set[str]]:
    """Each function and class of facekit by its dotted name, and those that its body names."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        tree, module = ast.parse(path.read_text()), name_of(path)
        defined = {node.name: node for node in tree.body if hasattr(node, "name")}
        known = {name: f"{module}.{name}" for name in defined} | imported(tree.body)
        for name, body in defined.items():
            inside = known | imported(ast.walk(body))
            found[f"{module}.{name}"] = set(named(body, inside))
    return found


def imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def named(body: ast.AST, known: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(body):
        if isinstance(node, ast.Name) and node.id in known:
            yield known[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{known.get(node.value.id)}.{node.attr}"  # of a module that was imported


def test_every_command_that_could_fetch_has_the_option_and_is_tried_here() -> None:
    """From the functions that ask the network up to the commands, by what each body names."""
    below, fetching = uses(), set(NETWORK)
    while more := {name for name, names in below.items() if names & fetching} - fetching:
        fetching |= more
    could = {
        words: command
        for words, command in every_command().items()
        if command.callback is not None
        and f"{command.callback.__module__}.{command.callback.__name__}" in fetching
    }
    for words, command in could.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--offline" in options, f"facekit {' '.join(words)} could fetch"
    assert set(could) == set(COMMANDS)


@pytest.fixture
def folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where nothing is stored, and whatever asks the network fails the test."""

    def asked(*_arguments: object, **_options: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(download, "by_pip", asked)
    monkeypatch.setattr(download, "by_url", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)
    for name in ("PIP_FIND_LINKS", "FACEKIT_LFW"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, data)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("by", ["option", "environment"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_is_fetched_and_what_to_run_is_said(
    words: tuple[str, ...], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*words, *COMMANDS[words].split()]
    if by == "option":
        arguments.append("--offline")
        monkeypatch.delenv("FACEKIT_OFFLINE", raising=False)
    else:
        monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    result = CliRunner().invoke(cli, arguments)
    assert (os.environ.get("FACEKIT_OFFLINE") is None) == (by == "option")
    assert result.exit_code == 5, result.output
    assert "--offline forbids fetching it" in result.stderr
    assert "facekit models fetch" in result.stderr or "To do it by hand" in result.stderr
