"""What the help page of a command says, for the terminal and for `man`.

A command's docstring holds all but its options: a summary of one line, paragraphs, and a block of
examples, which begins with "\\b" (as click marks text that is not wrapped) and "Example:".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

import click

from facekit.cli.types import LARGEST

Rows = tuple[tuple[str, str], ...]
"""Terms, such as options, each with its explanation."""

SECTIONS = {
    "Decision": ("threshold", "min-similarity", "metric", "fmr", "fpir"),
    "Faces": (
        *("face", "no-detect", "detector", "min-face", "min-score", "stage-thresholds"),
        *("scale-factor", "search-side", "rotate", "max-megapixels"),
    ),
    "Crop": ("crop", "margin", "resize-filter"),
    "Model": ("model", "bundle", "offline"),
    "Device and speed": (
        *("runtime", "device", "provider", "delegate", "delegate-option", "allow-cpu-fallback"),
        *("threads", "workers", "ray"),
    ),
    "Calibration": ("calibration", "calibration-count", "seed", "range-rule"),
    "Gallery": ("gallery", "key-file"),
    "Output": (
        *("output", "install", "force", "csv", "json", "draw", "save-crops", "plot"),
        *("sheets", "copy-to", "quiet", "verbose"),
    ),
    "Help": ("version", "help", "help-all"),
}
"""Options that mean the same in every command, by their long names without --."""

_COMMON = ("quiet", "verbose", "help", "help-all")
"""Options of every command, which only --help-all shows."""

_METAVARS = (
    ("FLOAT RANGE", "NUMBER"),
    ("INTEGER RANGE", "N"),
    ("FLOAT", "NUMBER"),
    ("INTEGER", "N"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows with a heading of their own."""

    heading: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Page:
    """A help page, before it is laid out."""

    command: str
    """as it is typed: "facekit models list" """
    usage: str
    """what follows the command"""
    summary: str
    """one line without a full stop"""
    examples: tuple[str, ...]
    """command lines that can be typed"""
    details: tuple[str, ...]
    """paragraphs; the lines of one with line breaks stay as they are"""
    sections: tuple[Section, ...]
    closing: tuple[str, ...]
    """where to read on"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a docstring says of its command."""

    summary: str
    details: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def explanation(docstring: str | None) -> Explanation:
    """The parts of a command's docstring."""
    paragraphs = re.split(r"\n\s*\n", cleandoc(docstring or "").strip())
    details: list[str] = []
    examples: list[str] = []
    for paragraph in paragraphs[1:]:
        kept = paragraph.removeprefix("\b\n")
        if kept.startswith("Example:"):
            examples += map(str.strip, kept.removeprefix("Example:").splitlines())
        else:
            details.append(kept if kept != paragraph else " ".join(paragraph.split()))
    summary = " ".join(paragraphs[0].split()).removesuffix(".")
    return Explanation(summary, tuple(details), tuple(examples))


def command_page(
    command: click.Command, ctx: click.Context, *, basic: Sequence[str] | None
) -> Page:
    """The page of a command.

    `basic`: long names of the options to show; () for all but those of every command, None for all
    in sections.
    """
    options = [one for one in command.get_params(ctx) if isinstance(one, click.Option)]
    if basic is None:
        sections = option_sections(options, ctx)
    else:
        by_name = {long_name(option): option for option in options}
        shown = basic or [name for name in by_name if name not in _COMMON]
        rows = tuple(option_row(by_name[name], ctx) for name in shown)
        sections = (Section("Options", rows),) if rows else ()
    closing = () if basic is None else (f"All options: {ctx.command_path} --help-all",)
    return _page(command, ctx, sections, closing)


def group_page(
    group: click.Group,
    ctx: click.Context,
    commands: Mapping[str, Mapping[str, str]],
    *,
    more: Iterable[Section] = (),
) -> Page:
    """The page of a group.

    `commands`: the summary of each command, by its name, below its heading.  `more`: what stands
    between the commands and the options.
    """
    options = [one for one in group.get_params(ctx) if isinstance(one, click.Option)]
    sections = (
        *(Section(heading, tuple(rows.items())) for heading, rows in commands.items()),
        *more,
        Section("Options", tuple(option_row(option, ctx) for option in options)),
    )
    program, *words = ctx.command_path.split()
    closing = f"About one command: {' '.join((program, 'help', *words))} COMMAND"
    return _page(group, ctx, sections, (closing,))


def _page(
    command: click.Command,
    ctx: click.Context,
    sections: tuple[Section, ...],
    closing: tuple[str, ...],
) -> Page:
    told = explanation(command.help)
    return Page(
        command=ctx.command_path,
        usage=" ".join(command.collect_usage_pieces(ctx)),
        summary=told.summary,
        examples=told.examples,
        details=told.details,
        sections=sections,
        closing=closing,
    )


def option_sections(options: Iterable[click.Option], ctx: click.Context) -> tuple[Section, ...]:
    """All options: the command's own first, then those that other commands share."""
    rows: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Options", *SECTIONS)}
    for option in options:
        rows[_section_of(option)].append(option_row(option, ctx))
    return tuple(Section(heading, tuple(found)) for heading, found in rows.items() if found)


def long_name(option: click.Option) -> str:
    """ "--min-face" -> "min-face" """
    return max(option.opts, key=len).removeprefix("--")


def option_row(option: click.Option, ctx: click.Context) -> tuple[str, str]:
    """What is typed, and what it does, with its range and its default."""
    names, _ = option.get_help_record(ctx) or ("", "")
    for clicks, ours in _METAVARS:
        names = names.replace(clicks, ours)
    text, _, default = " ".join((option.help or "").split()).partition(" [default: ")
    limits = "; ".join((*_limits(option), *([f"default: {default[:-1]}"] if default else ())))
    return names, f"{text}  [{limits}]" if limits else text


def _section_of(option: click.Option) -> str:
    name = long_name(option)
    return next((heading for heading, names in SECTIONS.items() if name in names), "Options")


def _limits(option: click.Option) -> Iterator[str]:
    """What stands in brackets after an option's explanation."""
    if option.required:
        yield "required"
    if isinstance(option.type, (click.IntRange, click.FloatRange)):
        yield _range_in_words(option.type)
    if default := _default_in_words(option):
        yield f"default: {default}"


def _default_in_words(option: click.Option) -> str:
    """ "" for a switch, and where nothing is taken instead."""
    if isinstance(option.show_default, str):
        return option.show_default
    value: Any = option.to_info_dict()["default"]
    if option.is_flag and not option.secondary_opts:
        return ""
    if option.secondary_opts:
        chosen = option.opts if value else option.secondary_opts
        return max(chosen, key=len).removeprefix("--")
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _range_in_words(kind: click.IntRange | click.FloatRange) -> str:
    """ "at least 1", "0 to 1", "above 0, below 1" """
    low, high = (
        None if end is None or abs(end) == LARGEST else f"{end:g}" for end in (kind.min, kind.max)
    )
    if low is not None and high is not None and not (kind.min_open or kind.max_open):
        return f"{low} to {high}"
    parts = []
    if low is not None:
        parts.append(f"above {low}" if kind.min_open else f"at least {low}")
    if high is not None:
        parts.append(f"below {high}" if kind.max_open else f"at most {high}")
    return ", ".join(parts)
