"""A page of the manual for each command, made from the command itself and from its JSON Schema."""

from __future__ import annotations

import html
import re

import click

from docs.commands import every_command
from docs.schema_tables import output_tables, parts_of_outputs
from facekit.cli import cli
from facekit.cli.command import context_of, page_of


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
    page = page_of(context_of(click.Context(cli, info_name="facekit"), words), everything=True)
    level = "#" * (len(words) + 1)
    lines = [f"{_escaped(page.summary)}.", "", "```sh", *page.examples, "```", ""]
    for paragraph in page.details:
        by_hand = "\n" in paragraph
        lines += ["```text", paragraph, "```", ""] if by_hand else [_escaped(paragraph), ""]
    if isinstance(command, click.Group):
        return lines
    lines += [f"{level} Usage", "", "```text", f"{page.command} {page.usage}", "```", ""]
    for section in page.sections:
        lines += [f"| {section.heading.lower()} | meaning |", "| --- | --- |"]
        for names, meaning in section.rows:
            name = html.escape(names).replace("|", "&#124;")
            lines.append(f"| <code>{name}</code> | {_escaped(meaning)} |")
        lines.append("")
    output = output_tables(words)
    if output:
        lines += [f"{level} JSON", "", *output, ""]
    return lines


def _escaped(text: str) -> str:
    return re.sub(r"([*_|\[\]])", r"\\\1", html.escape(text))
