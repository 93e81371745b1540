"""A page of the manual for each command, made from the command itself and from its JSON Schema."""

from __future__ import annotations

import html
import inspect
import re

import click

from docs.commands import every_command
from docs.schema_tables import output_tables, parts_of_outputs

_EXAMPLE = re.compile(r"Examples?:")


def command_pages() -> dict[str, str]:
    """Markdown by the name of the command, in the order of the help page; a group is one page."""
    pages: dict[str, list[str]] = {}
    for words, command in every_command().items():
        level = len(words)
        lines = pages.setdefault(words[0], [])
        lines += [f"{'#' * level} facekit {' '.join(words)}", "", *_page(words, command)]
    for name, lines in pages.items():
        subcommands = [words[1] for words in every_command() if words[0] == name and words[1:]]
        parts = parts_of_outputs(name, subcommands)
        if parts:
            lines += ["## Parts of its JSON", "", *parts]
    return {name: "\n".join(lines) for name, lines in pages.items()}


def _page(words: tuple[str, ...], command: click.Command) -> list[str]:
    context = click.Context(command, info_name=f"facekit {' '.join(words)}", max_content_width=100)
    level = "#" * (len(words) + 1)
    lines = _paragraphs(command.help or "")
    if isinstance(command, click.Group):
        return lines
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines += [f"{level} Usage", "", "```text", usage, "```", ""]
    lines += ["| option | meaning |", "| --- | --- |"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            names, meaning = (html.escape(" ".join(text.split())) for text in record)
            lines.append(f"| <code>{names.replace('|', '&#124;')}</code> | {_escaped(meaning)} |")
    output = output_tables(words)
    if output:
        lines += ["", f"{level} JSON", "", *output]
    return [*lines, ""]


def _paragraphs(text: str) -> list[str]:
    """Click's help as Markdown: examples and what is set by hand stay as they are."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        by_hand = paragraph.startswith("\b\n")
        body = paragraph.removeprefix("\b\n")
        if _EXAMPLE.match(body):
            commands = [line.strip() for line in _EXAMPLE.sub("", body).splitlines()]
            lines += ["```sh", *(line for line in commands if line), "```", ""]
        elif by_hand:
            lines += ["```text", body, "```", ""]
        else:
            lines += [_escaped(html.escape(body)), ""]
    return lines


def _escaped(text: str) -> str:
    return re.sub(r"([*_|\[\]])", r"\\\1", text)
