"""Reads which group a photo or a person belongs to, and finds the groups of a list's photos.

A table with a header, separated by commas, tabs or semicolons:

    photo, group        or image, path, file, ...: a photo's path as the data set has it
    person, group       or id, name, identity, ...: all photos of a person
    a, b, group         a pair list: both photos of a pair belong to its group

Blank groups mean none.  Other columns are ignored.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import InputError, PairListError
from facekit.evaluation.protocols.pairs import Photo
from facekit.photo.pair_table import (
    PERSON_WORDS,
    PHOTO_WORDS,
    SEPARATORS,
    fail,
    first_cells,
    meaning_of,
    pair_list_text,
    plain_title,
)
from facekit.photo.pair_table import Column as PairColumn
from facekit.system.inputs import InputKind, read_input

GROUP_TABLE = InputKind("a table of groups", PairListError, max_bytes=1 << 30)
_GROUP_WORDS = ("group", "groups", "category", "demographic")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The groups of photos and people."""

    name: str
    group_of: Mapping[str, str]
    """The group by a photo's path or a person's name."""

    def assigned(self, photos: Sequence[Photo]) -> dict[str, str]:
        """Returns the group by path of the photos that have one, by themselves or their person.

        Raises InputError if photos of one person are in several groups, or if fewer than two groups
        occur.
        """
        found: dict[str, str] = {}
        of_person: dict[str | None, Photo] = {}
        for photo in photos:
            group = self.group_of.get(photo.path) or self.group_of.get(photo.person or "")
            if group is None:
                continue
            found[photo.path] = group
            first = of_person.setdefault(photo.person, photo)
            if photo.person is not None and found[first.path] != group:
                raise InputError(
                    f"{self.name}: a person belongs to one group. {photo.person} is in "
                    f"{found[first.path]!r} by {first.path} and in {group!r} by {photo.path}."
                )
        if len(groups := sorted(set(found.values()))) < 2:
            raise InputError(
                f"{self.name}: two groups among the photos are needed. Received: "
                f"{', '.join(groups) or 'none'}, of {len(found)} of {len(photos)} photos. Name "
                f"photos by their path in the data, such as {photos[0].path}, or people by their "
                "name."
            )
        return found

    def notes(self, photos: Sequence[Photo], assigned: Mapping[str, str]) -> list[str]:
        """Returns sentences on photos without a group and on names that the photos do not have."""
        without = [photo.path for photo in photos if photo.path not in assigned]
        known = {name for photo in photos for name in (photo.path, photo.person)}
        unknown = sorted(set(self.group_of) - known)
        said = []
        if without:
            said.append(
                f"{len(without):,} of {len(photos):,} photos have no group in {self.name} and are "
                f"left out of the groups' rates: {_first(without)}."
            )
        if unknown:
            said.append(
                f"{self.name} names {len(unknown):,} photos or people that are not in the data: "
                f"{_first(unknown)}."
            )
        return said


def read_groups(path: Path) -> GroupTable:
    """Reads a table of groups; see above.

    Raises PairListError, which names the file, the line and the reason: not UTF-8, no header with a
    column of groups and one of photos or people, a line of another length, a photo or a person in
    two groups, no group at all.
    """
    text = pair_list_text(read_input(path, GROUP_TABLE), path)
    separator = next((one for one in SEPARATORS if len(first_cells(text, one)) > 1), ",")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    group_of: dict[str, str] = {}
    line_of: dict[str, int] = {}
    header: list[str] | None = None
    columns: list[int] = []
    at = -1
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cells):
                continue
            if header is None:
                header = cells
                at, columns = _columns(header, path, line)
                continue
            if len(cells) != len(header):
                fail(
                    path,
                    line,
                    f"{len(header)} cells needed, as the header has. Received: {len(cells)}",
                )
            group = cells[at].strip()
            for name in (cells[column].strip() for column in columns):
                if not name:
                    fail(path, line, "a photo or a person needed. Received an empty name")
                if not group:
                    continue
                if group_of.setdefault(name, group) != group:
                    fail(
                        path,
                        line,
                        f"{name} is in the group {group_of[name]!r} by line {line_of[name]} "
                        f"already. Received: {group!r}",
                    )
                line_of.setdefault(name, line)
    except csv.Error as error:
        fail(path, max(reader.line_num, 1), f"not CSV: {error}", cause=error)
    if not group_of:
        fail(path, 1, "at least one group is needed; there is none in it")
    return GroupTable(path.name, group_of)


def _columns(header: list[str], path: Path, line: int) -> tuple[int, list[int]]:
    """Returns the column of groups, and those of photos, else that of people."""
    titles = list(map(plain_title, header))
    groups = [number for number, title in enumerate(titles) if title in _GROUP_WORDS]
    named = [
        [number for number, title in enumerate(header) if meaning_of(title) in wanted]
        for wanted in ((PairColumn.A,), (PairColumn.B,))
    ]
    if all(named):
        names = [number for each in named for number in each]
    else:
        names = next(
            (
                found
                for words in (PHOTO_WORDS, PERSON_WORDS)
                if (found := [number for number, title in enumerate(titles) if title in words])
            ),
            [],
        )
    if len(groups) != 1 or not names or (len(names) > 1 and not all(named)):
        fail(
            path,
            line,
            "a header such as photo,group or person,group needed, each column once. Received: "
            f"{','.join(header)!r}",
        )
    return groups[0], names


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
