"""Columns and labeled lines: the two forms that results for people have.

Columns stand aligned under a header line, on a terminal and in a pipe alike; programs read --json
or --csv.  A line has at most 80 columns, but for what cannot be broken: a path or a name, which
stands last in its line.

What is answered line after line for a program has a third form, `tab_separated`.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import click

WIDTH = 80
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    width: int = 0
    """least width in characters; what streams states here how wide its cells get"""
    is_number: bool = False
    """numbers stand to the right"""


def number(title: str, width: int = 0) -> Column:
    """A column whose cells stand to the right."""
    return Column(title, width, is_number=True)


class StreamedTable:
    """A table whose rows are printed as they come; the header with the first of them."""

    def __init__(self, *columns: Column) -> None:
        self._columns = [replace(one, width=max(one.width, len(one.title))) for one in columns]
        self._begun = False

    def echo(self, *cells: str) -> None:
        """Prints one row, a cell for each column."""
        if not self._begun:
            self._begun = True
            click.echo(_line(self._columns, [column.title for column in self._columns]))
        click.echo(_line(self._columns, cells))


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], *, wrap_last: bool = False
) -> list[str]:
    """The header and a line for each row; only the header where there is no row.

    `wrap_last`: the last cell goes on below itself where it does not fit, rather than over the
    line's end.
    """
    given = [tuple(row) for row in rows]
    fitted = [
        replace(one, width=max(one.width, len(one.title), *map(width_of, cells)))
        for one, *cells in zip(columns, *given, strict=True)
    ]
    lines = [_line(fitted, [column.title for column in fitted])]
    start = sum(column.width + len(_GAP) for column in fitted[:-1])
    for *cells, last in given:
        parts = wrapped(last, width=max(WIDTH - start, 1)) if wrap_last else [last]
        lines.append(_line(fitted, [*cells, *parts[:1]]))
        lines += [" " * start + part for part in parts[1:]]
    return lines


def table_in_blocks(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table whose columns go on in further tables below where 80 columns do not hold them.

    The first column is repeated in each.
    """
    given = [tuple(row) for row in rows]
    lines: list[str] = []
    taken = 1
    while taken < len(columns):
        end, block = len(columns), list[str]()
        while not block or (end > taken + 1 and max(map(width_of, block)) > WIDTH):
            end -= bool(block)
            shown = (0, *range(taken, end))
            block = table([columns[n] for n in shown], [[row[n] for n in shown] for row in given])
        lines += ["", *block] if lines else block
        taken = end
    return lines


def labeled(fields: Iterable[tuple[str, str]], *, indent: str = "") -> list[str]:
    """A line for each label with its text, the texts aligned; long ones go on below themselves."""
    given = list(fields)
    start = max((len(label) for label, _ in given), default=0) + len(_GAP)
    return [
        line
        for label, text in given
        for row, paragraph in enumerate(text.splitlines() or [""])
        for line in wrapped(
            paragraph,
            first=f"{indent}{'' if row else label:{start}}",
            others=" " * (len(indent) + start),
        )
    ]


def wrapped(text: str, *, first: str = "", others: str = "", width: int = WIDTH) -> list[str]:
    """A sentence in lines that begin with `first` and then with `others`; at least one line."""
    return textwrap.wrap(
        _printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def tab_separated(*cells: str) -> str:
    """A line for programs that read line by line: its cells, with a tab between them."""
    return "\t".join(map(_printable, cells))


def width_of(text: str) -> int:
    """Columns on a terminal: wide characters take two, marks on a letter none."""
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )


def _line(columns: Sequence[Column], cells: Sequence[str]) -> str:
    padded = []
    for column, cell in zip(columns, map(_printable, cells), strict=True):
        room = " " * (column.width - width_of(cell))
        padded.append(room + cell if column.is_number else cell + room)
    return _GAP.join(padded).rstrip()


def _printable(text: str) -> str:
    """Nothing in a name moves the cursor, colors the terminal or begins a line."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
