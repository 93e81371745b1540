"""Reads lists of photo pairs: tables of text (CSV) separated by commas, tabs or semicolons.

The header names the columns by any of the usual names, in any case, with or without underscores:

    a, b                img1, image_1, photo_a, path1, file2, ...   the paths; both are needed
    same                is_same, label, match, ...                  whether they are of one person
    person_a, person_b  person1, id_a, name2, identity_b, ...       who is in the photos
    group, fold         split                                       what a pair belongs to

Other columns are kept as they are.  A table of two columns needs no header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

from facekit.errors import PairListError
from facekit.system.inputs import InputKind, read_input

PAIR_LIST = InputKind("a pair list", PairListError, max_bytes=1 << 30)
_LONGEST_HEADER = 1 << 20
SEPARATORS = (",", "\t", ";")
_FILLER = re.compile(r"[\s_.-]")


class Column(Enum):
    """The meaning of a column; the value is the name that facekit gives it."""

    A = "a"
    B = "b"
    SAME = "same"
    PERSON_A = "person_a"
    PERSON_B = "person_b"
    GROUP = "group"
    FOLD = "fold"
    MODEL = "model"
    """In facekit's pairs.csv, which has a line for each pair and model; see `is_of_report`."""


PHOTO_WORDS = ("img", "image", "photo", "picture", "path", "file", "filename")
PERSON_WORDS = ("person", "id", "identity", "name", "subject", "people")
_USUAL_NAMES: dict[str, Column] = {
    **{column.value.replace("_", ""): column for column in Column},
    **{f"{word}{end}": Column.A for word in PHOTO_WORDS for end in "a1"},
    **{f"{word}{end}": Column.B for word in PHOTO_WORDS for end in "b2"},
    **{f"{word}{end}": Column.PERSON_A for word in PERSON_WORDS for end in "a1"},
    **{f"{word}{end}": Column.PERSON_B for word in PERSON_WORDS for end in "b2"},
    **dict.fromkeys(("issame", "sameperson", "label", "match", "ismatch", "genuine"), Column.SAME),
    "split": Column.FOLD,
}


@dataclass(frozen=True, slots=True)
class PairRow:
    """A line of the table."""

    line: int
    """Its number in the file, from 1; of a quoted cell of several lines, that of the last."""
    values: Mapping[Column, str]
    """The stripped cells whose meaning is known; A and B are not empty."""
    others: Mapping[str, str]
    """The other cells by the names of their columns."""

    @property
    def a(self) -> str:
        return self.values[Column.A]

    @property
    def b(self) -> str:
        return self.values[Column.B]

    @property
    def is_of_report(self) -> bool:
        """Whether the line is one of the pairs.csv that facekit evaluate writes."""
        return Column.MODEL in self.values and "called_same" in self.others


@dataclass(frozen=True, slots=True)
class PairTable:
    """The pairs of a table, in its order."""

    names: Mapping[Column, str]
    """The name that the header gives to each column of a known meaning; empty without a header."""
    rows: tuple[PairRow, ...]


def read_pair_table(path: Path) -> PairTable:
    """Reads the table at `path`, "-" for standard input; see `parse_pair_table`.

    Raises PairListError if it cannot be read.
    """
    return parse_pair_table(pair_list_text(read_input(path, PAIR_LIST), path), path)


def pair_list_text(content: bytes, name: object) -> str:
    """Returns the text of a list, without a byte order mark.

    Raises PairListError, which names the line that is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail(name, line, f"UTF-8 text needed, received byte 0x{content[error.start]:02x}")


def has_pair_header(text: str) -> bool:
    """Returns whether the first line names the columns of both photos."""
    return _separator_of_header(text) is not None


def parse_pair_table(text: str, name: object) -> PairTable:
    """Parses a table; blank lines are skipped.

    Raises PairListError, which begins with `name` and the line: without a header, more or fewer
    than two columns; a column that is named twice; a line of another length; an empty path; no
    pair.
    """
    separator = _separator_of_header(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, delimiter=separator or _separator_of_pair(text)
    )
    rows: list[PairRow] = []
    header: list[str] | None = [] if separator is None else None
    names: dict[Column, str] = {}
    try:
        for cells in reader:
            if not any(cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                names = _names(header, name, reader.line_num)
                continue
            rows.append(_row(header, cells, name, reader.line_num))
    except csv.Error as error:
        fail(name, max(reader.line_num, 1), f"not CSV: {error}", cause=error)
    if not rows:
        fail(name, 1, "at least one pair is needed; there is no pair in it")
    return PairTable(names, tuple(rows))


def fail(name: object, line: int, reason: str, *, cause: Exception | None = None) -> NoReturn:
    raise PairListError(f"{name}, line {line}: {reason}") from cause


def plain_title(title: str) -> str:
    """Returns a column's title in lower case, without underscores and what else fills it."""
    return _FILLER.sub("", title).lower()


def meaning_of(title: str) -> Column | None:
    """Returns what a column of this title holds; None if it is not known."""
    return _USUAL_NAMES.get(plain_title(title))


def first_cells(text: str, separator: str) -> list[str]:
    """Returns the cells of the first line that is not blank, [] if it is not CSV."""
    lines = io.StringIO(text[:_LONGEST_HEADER], newline="")
    try:
        return next(filter(any, csv.reader(lines, strict=True, delimiter=separator)), [])
    except csv.Error:  # said with its line where the whole is read
        return []


def _separator_of_header(text: str) -> str | None:
    for separator in SEPARATORS:
        meanings = set(map(meaning_of, first_cells(text, separator)))
        if {Column.A, Column.B} <= meanings:
            return separator
    return None


def _separator_of_pair(text: str) -> str:
    return next((one for one in SEPARATORS if len(first_cells(text, one)) == 2), ",")


def _names(header: list[str], name: object, line: int) -> dict[Column, str]:
    names: dict[Column, str] = {}
    for title in header:
        meaning = meaning_of(title)
        if meaning is not None and meaning in names:
            fail(
                name, line, f"{names[meaning]!r} and {title!r} both name the column {meaning.value}"
            )
        if meaning is not None:
            names[meaning] = title
    if len(set(header)) != len(header):
        fail(name, line, "each column is named once in a header")
    return names


def _row(header: list[str], cells: list[str], name: object, line: int) -> PairRow:
    values, others = {}, {}
    if header:
        if len(cells) != len(header):
            fail(
                name, line, f"{len(header)} cells needed, as the header has. Received: {len(cells)}"
            )
        for title, cell in zip(header, cells, strict=True):
            meaning = meaning_of(title)
            if meaning is None:
                others[title] = cell
            else:
                values[meaning] = cell.strip()
    elif len(cells) == 2:
        values = {Column.A: cells[0].strip(), Column.B: cells[1].strip()}
    else:
        fail(name, line, f"two paths needed, or a header such as a,b,same. Received: {cells!r}")
    if not values[Column.A] or not values[Column.B]:
        fail(name, line, "two paths needed. Received an empty one")
    return PairRow(line, values, others)
