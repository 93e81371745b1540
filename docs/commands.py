"""Every command there is, as the words that are typed; for the reference and for tests."""

from __future__ import annotations

from collections.abc import Iterator

import click

from facekit.cli import cli


def every_command() -> dict[tuple[str, ...], click.Command]:
    """("verify",), ("models",), ("models", "list"), ...: in the order of the help pages."""
    return dict(_below(cli, ()))


def _below(
    group: click.Group, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed and not there"
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from _below(command, (*words, name))
