"""Reads lists of photo pairs in LFW's formats and as tables; any malformed line is an error.

LFW (tab separated; http://vis-www.cs.umass.edu/lfw/README.txt):

    10  300                         folds, pairs of each kind in a fold; or one number: one fold
    Abel_Pacheco  1  4              a matched pair: photos 1 and 4 of one person
    Slobodan_Milosevic  2  Sok_An  1    a mismatched pair, after the fold's matched ones

A table (facekit.photo.pair_table) has a header: `a,b,same` (paths, and one of 1/0, true/false,
yes/no), optionally `person_a,person_b`, `group` and `fold`.  Without people's names, the people in
the photos are unknown; with them, `same` may be left out.  Of facekit's own pairs.csv, which holds
every pair once for each model, the lines of the first model are read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from facekit.errors import PairListError
from facekit.photo.pair_table import (
    PAIR_LIST,
    Column,
    PairRow,
    fail,
    has_pair_header,
    pair_list_text,
    parse_pair_table,
)
from facekit.system.inputs import read_input

PUBLISHED_MD5 = {
    "9f1ba174e4e1c508ff7cdf10ac338a7d": "pairs.txt",
    "5132f7440eb68cf58910c8a45a2ac10b": "pairsDevTest.txt",
    "4f27cbf15b2da4a85c1907eb4181ad21": "pairsDevTrain.txt",
}
"""The lists as published at http://vis-www.cs.umass.edu/lfw/ (also scikit-learn's fetcher)."""

_JOINED_BY = " + "
_HEADER = re.compile(r"([1-9][0-9]{0,8})(?:\t([1-9][0-9]{0,8}))?")
_NUMBER = re.compile(r"0*[1-9][0-9]{0,3}")
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Photo:
    path: str
    """Path relative to the photos' folder, with forward slashes; a CSV may contain absolute
    paths."""
    person: str | None
    """None if the list does not name the person."""


@dataclass(frozen=True, slots=True)
class Pair:
    a: Photo
    b: Photo
    same: bool
    line: int
    """Line number in the list's file, from 1."""
    group: str | None = None
    """The group that the list puts the pair in; None for none."""


@dataclass(frozen=True, slots=True)
class PairList:
    """The pairs of a file, in the order of the file."""

    name: str
    folds: tuple[tuple[Pair, ...], ...]
    md5: str
    """MD5 of the file, or of each file of a joined list."""
    complete: bool = True
    """False if pairs were left out on purpose."""

    @property
    def published_as(self) -> str | None:
        """The names of LFW's own lists that have this MD5; None for other lists and for a part."""
        names = [PUBLISHED_MD5.get(one) for one in self.md5.split(_JOINED_BY)]
        if not self.complete or None in names:
            return None
        return _JOINED_BY.join(filter(None, names))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(pair for fold in self.folds for pair in fold)

    @property
    def photos(self) -> tuple[Photo, ...]:
        """Every photo once, sorted by path."""
        by_path = {photo.path: photo for pair in self.pairs for photo in (pair.a, pair.b)}
        return tuple(by_path[path] for path in sorted(by_path))

    @property
    def person_count(self) -> int | None:
        """The number of people in the photos; None if a photo's person is not named."""
        people = {photo.person for photo in self.photos}
        return None if None in people else len(people)

    def only_fold(self, number: int) -> PairList:
        """Returns a list that contains only fold `number` (from 1).

        Raises PairListError if there is no such fold.
        """
        if not 1 <= number <= len(self.folds):
            raise PairListError(
                f"{self.name} has folds 1 to {len(self.folds)}. Received: fold {number}"
            )
        return replace(self, name=f"{self.name}, fold {number}", folds=(self.folds[number - 1],))

    def first(self, n_each: int) -> PairList:
        """Returns the first `n_each` pairs of each kind of every fold, as an incomplete list."""
        folds = tuple(_first_of_each_kind(fold, n_each) for fold in self.folds)
        if folds == self.folds:
            return self
        name = f"{self.name}, the first {n_each} of each kind"
        return replace(self, name=name, folds=folds, complete=False)

    def joined(self, other: PairList) -> PairList:
        """Returns a list of the folds of both lists, first the folds of this list."""
        return PairList(
            f"{self.name}{_JOINED_BY}{other.name}",
            (*self.folds, *other.folds),
            f"{self.md5}{_JOINED_BY}{other.md5}",
            self.complete and other.complete,
        )


def _first_of_each_kind(fold: tuple[Pair, ...], n_each: int) -> tuple[Pair, ...]:
    taken = {True: 0, False: 0}
    kept = []
    for pair in fold:
        taken[pair.same] += 1
        if taken[pair.same] <= n_each:
            kept.append(pair)
    return tuple(kept)


def read_pairs(path: Path) -> PairList:
    """Reads a list in LFW's format, or a table.

    Raises PairListError, which names the file, the line and the reason: not UTF-8, a wrong header,
    a malformed line, too few or too many lines, a pair that occurs twice or is one photo twice.
    """
    raw = read_input(path, PAIR_LIST)
    text = pair_list_text(raw, path)
    if has_pair_header(text):
        folds = _table_folds(path, text)
    else:
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        folds = tuple(_lfw_folds(path, lines))
    _refuse_repeats(path, folds)
    return PairList(path.name, folds, hashlib.md5(raw, usedforsecurity=False).hexdigest())


def _lfw_folds(path: Path, lines: list[str]) -> Iterator[tuple[Pair, ...]]:
    header = _HEADER.fullmatch(lines[0])
    if header is None:
        fail(
            path,
            1,
            "a header needed: of a table such as a,b,same; of LFW's lists either pairs of each "
            f"kind or folds<TAB>pairs of each kind. Received: {lines[0]!r}",
        )
    n_folds, n_each = (1, int(header[1])) if header[2] is None else (int(header[1]), int(header[2]))
    promised = 2 * n_each * n_folds
    if len(lines) - 1 < promised:
        fail(
            path,
            len(lines),
            f"the file ends here, after {len(lines) - 1} of the {promised} pairs that its header "
            "promises",
        )
    if len(lines) - 1 > promised:
        fail(path, promised + 2, f"a line more than the {promised} pairs of the header")
    for fold in range(n_folds):
        start = 1 + fold * 2 * n_each
        yield tuple(
            _lfw_pair(path, index + 1, lines[index], same=index < start + n_each)
            for index in range(start, start + 2 * n_each)
        )


def _lfw_pair(path: Path, line: int, text: str, *, same: bool) -> Pair:
    fields = text.split("\t")
    if len(fields) != (3 if same else 4):
        wanted = "name, number, number" if same else "name, number, name, number"
        fail(path, line, f"{wanted} separated by tabs needed. Received: {text!r}")
    if same:
        name_a, number_a, number_b = fields
        name_b = name_a
    else:
        name_a, number_a, name_b, number_b = fields
        if name_a == name_b:
            fail(path, line, f"two different people needed. Received {name_a} twice")
    return Pair(
        _lfw_photo(path, line, name_a, number_a),
        _lfw_photo(path, line, name_b, number_b),
        same,
        line,
    )


def _lfw_photo(path: Path, line: int, name: str, number: str) -> Photo:
    if name.strip() != name or name in {"", ".", ".."} or set(name) & set('/\\\0"'):
        fail(path, line, f"the name of a person's folder needed. Received: {name!r}")
    if _NUMBER.fullmatch(number) is None:
        fail(path, line, f"a photo number from 1 to 9999 needed. Received: {number!r}")
    return Photo(f"{name}/{name}_{int(number):04d}.jpg", name)


def _table_folds(path: Path, text: str) -> tuple[tuple[Pair, ...], ...]:
    """Returns the pairs by their fold, in the order in which the folds begin."""
    rows = parse_pair_table(text, path).rows
    first_model = rows[0].values.get(Column.MODEL)
    folds: dict[str | None, list[Pair]] = {}
    for row in rows:
        if not row.is_of_report or row.values[Column.MODEL] == first_model:
            folds.setdefault(row.values.get(Column.FOLD), []).append(_table_pair(path, row))
    return tuple(map(tuple, folds.values()))


def _table_pair(path: Path, row: PairRow) -> Pair:
    people = [row.values.get(one) or None for one in (Column.PERSON_A, Column.PERSON_B)]
    by_people = None if None in people else people[0] == people[1]
    truth = row.values.get(Column.SAME)
    same = by_people if truth is None else _TRUTH.get(truth.lower())
    if same is None:
        needed = "1/0, true/false or yes/no needed as `same`"
        if truth is None:
            fail(path, row.line, f"{needed}, or the people as `person_a` and `person_b`")
        fail(path, row.line, f"{needed}. Received: {truth!r}")
    if by_people not in (None, same):
        fail(path, row.line, f"same={truth} contradicts the people {people[0]} and {people[1]}")
    group = row.values.get(Column.GROUP) or None
    return Pair(Photo(row.a, people[0]), Photo(row.b, people[1]), same, row.line, group)


def _refuse_repeats(path: Path, folds: tuple[tuple[Pair, ...], ...]) -> None:
    first_line: dict[tuple[str, ...], int] = {}
    people: dict[str, str | None] = {}
    for pair in (pair for fold in folds for pair in fold):
        if pair.a.path == pair.b.path:
            fail(path, pair.line, f"two photos needed. Received {pair.a.path} twice")
        key = tuple(sorted((pair.a.path, pair.b.path)))
        earlier = first_line.setdefault(key, pair.line)
        if earlier != pair.line:
            fail(
                path, pair.line, f"this pair stands in line {earlier} already: {' and '.join(key)}"
            )
        for photo in (pair.a, pair.b):
            if people.setdefault(photo.path, photo.person) != photo.person:
                fail(path, pair.line, f"{photo.path} is of {people[photo.path]} further up")
